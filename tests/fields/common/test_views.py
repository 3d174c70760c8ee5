"""Projection and sampling of source views: values known by hand."""

from __future__ import annotations

import math

import pytest
import torch

from sem_field_ros.fields.common.views import SourceViews, project_points, sample_depth, sample_maps


def camera(x: float = 0.0, yaw: float = 0.0) -> torch.Tensor:
    """T_camera_world of a camera at (x, 0, 0) turned by `yaw` about its y axis."""
    T = torch.eye(4)
    c, s = math.cos(yaw), math.sin(yaw)
    T[:3, :3] = torch.tensor([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    T[:3, 3] = -T[:3, :3] @ torch.tensor([x, 0.0, 0.0])
    return T


@pytest.fixture
def views() -> SourceViews:
    K = torch.tensor([[10.0, 0, 7.5], [0, 10, 5.5], [0, 0, 1]]).expand(3, 3, 3)
    T = torch.stack([camera(), camera(0.5), camera(0.0, math.pi)])
    return SourceViews(torch.zeros(3, 1, 3, 4), torch.zeros(3, 2, 3, 4), K, T, (16, 12))


def test_projection_by_hand(views: SourceViews) -> None:
    projection = project_points(torch.tensor([[0.0, 0.0, 2.0], [0.5, 0.2, 1.0], [9.0, 0.0, 1.0]]), views)
    torch.testing.assert_close(projection.pixels[0, 0], torch.tensor([7.5, 5.5]))
    torch.testing.assert_close(projection.pixels[0, 1], torch.tensor([5.0, 5.5]))
    torch.testing.assert_close(projection.pixels[1, 0], torch.tensor([12.5, 7.5]))
    assert projection.inside.tolist() == [[True, True, False], [True, True, False], [False, False, False]]
    torch.testing.assert_close(projection.z[:, 0], torch.tensor([2.0, 1.0, 1.0]))


def test_origins(views: SourceViews) -> None:
    torch.testing.assert_close(views.origins, torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [0, 0, 0]]), atol=1e-6, rtol=0)


def test_maps_of_any_size_cover_the_same_image() -> None:
    """A ramp over the image reads the same from a map of 16x12 and from one of 4x3 pixels."""
    size = (16, 12)
    pixels = torch.tensor([[[7.5, 5.5]], [[3.5, 5.5]], [[10.0, 2.0]]])
    for width, height in (size, (4, 3)):
        centers = (torch.arange(width) + 0.5) * (size[0] / width) - 0.5
        ramp = centers.expand(1, 1, height, width)
        torch.testing.assert_close(sample_maps(ramp, pixels, size)[:, 0, 0], pixels[:, 0, 0])


def test_depth_is_the_nearest_pixel() -> None:
    depth = torch.arange(12.0).reshape(1, 3, 4)
    pixels = torch.tensor([[[1.4, 0.6]], [[-0.4, 2.4]], [[3.6, 0.0]], [[0.0, -0.6]]])
    assert sample_depth(depth, pixels)[:, 0].tolist() == [5.0, 8.0, 0.0, 0.0]
