"""The browser's camera as a pinhole camera, and labels over a rendered view in the colours of the map."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import project
from sem_field_ros.geometry.poses import inverse, quaternion_from_pose, transform_points
from sem_field_ros.geometry.viewpoints import look_at
from sem_field_ros.viewer.legend import make_legend
from sem_field_ros.viewer.rendered_view import ShownView, camera_of, with_labels


def browser_camera(T: np.ndarray, fov: float = np.pi / 2, aspect: float = 1.5) -> SimpleNamespace:
    x, y, z, w = quaternion_from_pose(T)
    return SimpleNamespace(wxyz=np.array([w, x, y, z]), position=T[:3, 3], fov=fov, aspect=aspect)


def test_the_view_is_what_the_browser_shows() -> None:
    """A vertical field of view of 90 degrees: what is as high as it is far touches the image's edge."""
    T = look_at(np.array([1.0, 2, 3]), np.array([4.0, 2, 3]), np.array([0, 0, 1.0]))
    camera, pose = camera_of(browser_camera(T), 300)
    assert (camera.width, camera.height) == (300, 200)
    np.testing.assert_allclose(pose, T, atol=1e-12)
    points = np.array([[3.0, 2, 3], [3.0, 2, 5], [3.0, 5, 3]])
    pixels, z = project(transform_points(inverse(pose), points), camera)
    np.testing.assert_allclose(z, 2)
    np.testing.assert_allclose(pixels, [[149.5, 99.5], [149.5, -0.5], [-0.5, 99.5]], atol=1e-9)


@pytest.mark.parametrize("aspect", [1e-9, 0.02, 100.0])
def test_odd_pages_have_views_of_a_bounded_size(aspect: float) -> None:
    camera, _ = camera_of(browser_camera(np.eye(4), aspect=aspect), 320)
    assert camera.width == 320 and 8 <= camera.height <= 1280


def test_a_camera_without_a_pose_is_refused() -> None:
    camera = browser_camera(np.eye(4))
    camera.wxyz = np.zeros(4)
    with pytest.raises(FrameError, match="the browser's camera"):
        camera_of(camera, 320)


def test_labels_have_the_maps_colours_where_it_has_the_class() -> None:
    legend = make_legend({1: "floor", 2: "rug"}, {1: (0, 200, 0), 2: (9, 9, 9)})
    view = ShownView(np.full((1, 4, 3), 100, np.uint8), np.array([[1, 2, 255, 77]]), {1: "floor", 2: "sofa"}, "")
    shown = with_labels(view, legend)
    assert shown[0, 0].tolist() == [40, 160, 40], "0.6 of the map's green over grey"
    assert shown[0, 1].tolist() != [45, 45, 45] and shown[0, 1].tolist() != [100] * 3, "a sofa is not the map's rug"
    assert shown[0, 2].tolist() == shown[0, 3].tolist() == [100] * 3, "unlabelled, and an id without a name"
