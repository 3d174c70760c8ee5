"""Which way is up and where to stand: known worlds, rotated worlds, an open corner that has one right side."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.geometry.axes import AXES, axis_vector, upright
from sem_field_ros.geometry.camera import Intrinsics, project
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.geometry.viewpoints import (
    apparent_up_axis,
    estimate_up,
    fit_view,
    front_facing,
    look_at,
    point_spacing,
    two_views,
)

CAMERA = Intrinsics(400.0, 400.0, 199.5, 149.5, 400, 300)
Z = np.array([0.0, 0.0, 1.0])


def sheet(origin: tuple, a: tuple, b: tuple, normal: tuple, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """n x n points on the parallelogram origin + s a + t b, all with one normal."""
    s, t = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    points = np.array(origin) + s.reshape(-1, 1) * np.array(a) + t.reshape(-1, 1) * np.array(b)
    return points, np.tile(np.array(normal, dtype=float), (n * n, 1))


def corner() -> tuple[np.ndarray, np.ndarray]:
    """A floor and the two walls x = 0 and y = 0: open towards +x +y."""
    parts = [
        sheet((0, 0, 0), (4, 0, 0), (0, 4, 0), (0, 0, 1)),
        sheet((0, 0, 0), (0, 4, 0), (0, 0, 2), (1, 0, 0)),
        sheet((0, 0, 0), (4, 0, 0), (0, 0, 2), (0, 1, 0)),
    ]
    return np.concatenate([p for p, _ in parts]), np.concatenate([n for _, n in parts])


def walk(tilt_deg: float) -> list[np.ndarray]:
    """Cameras that look around from (2, 2, 1.5), tilted down by an angle."""
    eye = np.array([2.0, 2.0, 1.5])
    down = np.tan(np.radians(tilt_deg))
    azimuths = np.linspace(3.0, 5.0, 9)
    return [look_at(eye, eye + np.array([np.cos(a), np.sin(a), -down]), Z) for a in azimuths]


def test_look_at_is_an_optical_frame() -> None:
    T = look_at(np.array([0.0, -2.0, 0.0]), np.zeros(3), Z)
    np.testing.assert_allclose(T[:3, :3].T, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)  # right, down, forward


def test_up_is_z_without_cameras_and_in_z_up_worlds() -> None:
    _, normals = corner()
    np.testing.assert_array_equal(estimate_up(normals, None), Z)
    np.testing.assert_array_equal(estimate_up(normals, []), Z)
    np.testing.assert_array_equal(estimate_up(normals, walk(10.0)), Z)


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0, 35.0])
def test_up_is_found_in_a_turned_world(tilt_deg: float) -> None:
    _, normals = corner()
    turn = look_at(np.zeros(3), np.array([1.0, 2.0, 0.5]), Z)  # a world whose y axis points down, like 7-Scenes
    up = estimate_up(normals @ turn[:3, :3], [inverse(turn) @ T for T in walk(tilt_deg)])
    np.testing.assert_allclose(turn[:3, :3] @ up, Z, atol=1e-3)


def test_up_without_floor_is_the_cameras_up() -> None:
    turn = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    up = estimate_up(np.zeros((50, 3)), [turn @ T for T in walk(0.0)])
    np.testing.assert_allclose(up, [0, -1, 0], atol=1e-6)


def room() -> tuple[np.ndarray, np.ndarray]:
    """Normals and areas of a room of 4 x 4 x 2.4 m seen from within, without its ceiling, with a table of 1 m^2."""
    up, down = (0, 0, 1), (0, 0, -1)
    faces = {up: 16.0 + 1.0, (1, 0, 0): 9.6, (-1, 0, 0): 9.6, (0, 1, 0): 9.6, (0, -1, 0): 9.6, down: 0.1}
    return np.array(list(faces), dtype=float), np.array(list(faces.values()))


@pytest.mark.parametrize("name", AXES)
def test_a_room_that_lies_on_its_side_is_noticed(name: str) -> None:
    normals, areas = room()
    turned = normals @ upright(name)  # now `name` is up
    for shown in AXES:
        expected = None if shown == name else name
        assert apparent_up_axis(turned, areas, axis_vector(shown)) == expected


def test_unclear_surfaces_are_not_judged() -> None:
    normals, areas = room()
    y = axis_vector("y")
    with_ceiling = np.where(normals[:, 2] < 0, 16.0, areas)
    assert apparent_up_axis(normals, with_ceiling, y) is None
    assert apparent_up_axis(normals, np.zeros(len(normals)), y) is None
    assert apparent_up_axis(normals[:0], areas[:0], y) is None
    wall = np.array([[1.0, 0, 0]])  # one wall alone looks like a floor, but not to cameras that are held upright
    assert apparent_up_axis(wall, np.ones(1), Z) == "x"
    assert apparent_up_axis(wall, np.ones(1), Z, walk(10.0)) is None
    assert apparent_up_axis(normals, areas, y, walk(10.0)) == "z"


def test_two_views_look_into_the_open_side_from_above() -> None:
    points, normals = corner()
    first, second = two_views(points, normals, Z, CAMERA)
    for T in (first, second):
        forward = T[:3, 2]
        assert np.degrees(np.arcsin(-forward[2])) == pytest.approx(42, abs=1)
        pixels, z = project(transform_points(inverse(T), points[front_facing(points, normals, T)]), CAMERA)
        inside = ((pixels >= 0) & (pixels < (400, 300))).all(axis=1) & (z > 0)
        assert inside.mean() > 0.995
    assert (first[:2, 3] > 2).all()  # the first stands outside the open side and sees both walls
    horizontal = [T[:2, 2] / np.linalg.norm(T[:2, 2]) for T in (first, second)]
    assert horizontal[0] @ horizontal[1] < 0.01


def test_the_scan_fills_the_image() -> None:
    points, normals = corner()
    direction = np.array([1.0, 1.0, 1.0]) / np.sqrt(3)
    T = fit_view(points, normals, direction, Z, CAMERA)
    pixels, _ = project(transform_points(inverse(T), points), CAMERA)
    extent = (pixels.max(axis=0) - pixels.min(axis=0)) / (400, 300)
    assert 0.88 < extent.max() <= 1.0


def test_point_spacing_of_a_grid() -> None:
    points, _ = sheet((0, 0, 0), (2.9, 0, 0), (0, 2.9, 0), (0, 0, 1))
    assert point_spacing(points) == pytest.approx(0.1, rel=1e-3)
    assert point_spacing(points[:1]) == 0
