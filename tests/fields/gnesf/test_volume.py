"""The geometry encoding volume: feature statistics and sampling known by hand, the net's shapes, the head's range."""

from __future__ import annotations

import pytest
import torch

from sem_field_ros.fields.common.views import SourceViews, project_points, sample_maps
from sem_field_ros.fields.gnesf.feature_net import FeatureNet
from sem_field_ros.fields.gnesf.volume import (
    GeometryHead,
    Volume,
    VolumeConfig,
    VolumeNet,
    cell_centers,
    feature_volume,
)

CONFIG = VolumeConfig(cells=6, cell_m=0.1, channels=(4, 6))


def two_views() -> SourceViews:
    K = torch.tensor([[20.0, 0, 15.5], [0, 20, 11.5], [0, 0, 1]]).expand(2, 3, 3)
    T = torch.eye(4).repeat(2, 1, 1)
    T[1, 0, 3] = -0.2  # the second camera stands at x = 0.2
    g = torch.Generator().manual_seed(0)
    return SourceViews(torch.randn(2, 3, 6, 8, generator=g), torch.zeros(2, 2, 6, 8), K, T, (32, 24))


def test_cells_are_in_order() -> None:
    centers = cell_centers(torch.tensor([1.0, 2.0, 3.0]), 2, 0.5).reshape(2, 2, 2, 3)
    torch.testing.assert_close(centers[0, 0, 0], torch.tensor([1.25, 2.25, 3.25]))
    torch.testing.assert_close(centers[1, 0, 1], torch.tensor([1.75, 2.25, 3.75]))


def test_the_feature_volume_is_equation_1() -> None:
    views = two_views()
    corner = torch.tensor([-0.3, -0.3, 0.5])
    volume, counts = feature_volume(views, corner, CONFIG, chunk=50)
    centers = cell_centers(corner, 6, 0.1)
    for index in (0, 17, 100, 215):
        projection = project_points(centers[index : index + 1], views)
        features = sample_maps(views.features, projection.pixels, views.size)[0]
        own = features[projection.inside[0]]
        x, y, z = index // 36, index // 6 % 6, index % 6
        assert int(counts[x, y, z]) == len(own)
        if len(own):
            torch.testing.assert_close(volume[:3, x, y, z], own.mean(dim=0))
            torch.testing.assert_close(volume[3:, x, y, z], own.var(dim=0, unbiased=False))
    assert counts.max() == 2


def test_sampling_a_ramp() -> None:
    corner = torch.tensor([1.0, -1.0, 0.0])
    centers = cell_centers(corner, 5, 0.2).reshape(5, 5, 5, 3)
    volume = Volume(centers.permute(3, 0, 1, 2).contiguous(), corner, 0.2)  # every cell holds its own position
    points = torch.tensor([[1.5, -0.35, 0.62], [1.13, -0.9, 0.1], [5.0, 0.0, 0.0]])
    values, inside = volume.sample(points)
    torch.testing.assert_close(values[:2], points[:2])
    assert inside.tolist() == [True, True, False]


@pytest.mark.parametrize("cells", [5, 8])
def test_the_net_keeps_the_size(cells: int) -> None:
    torch.manual_seed(0)
    out = VolumeNet(6, (4, 6, 8))(torch.randn(1, 6, cells, cells, cells))
    assert out.shape == (1, 4, cells, cells, cells)


def test_the_heads_range() -> None:
    torch.manual_seed(0)
    encoded = 100 * torch.randn(50, 4)
    sdf = GeometryHead(4, "sdf", 0.12)(encoded).detach()
    assert float(sdf.abs().max()) <= 0.12 and float(sdf.min()) < 0 < float(sdf.max())
    assert float(GeometryHead(4, "density", 0.12)(encoded).detach().min()) >= 0
    with pytest.raises(ValueError, match="sdf or density"):
        GeometryHead(4, "occupancy", 0.12)


def test_gradients_of_the_head() -> None:
    torch.manual_seed(0)
    for kind in ("sdf", "density"):
        head = GeometryHead(3, kind, 0.1, hidden=4).double()
        assert torch.autograd.gradcheck(head, (torch.randn(5, 3, dtype=torch.float64, requires_grad=True),))


def test_image_features_are_a_quarter_of_the_image() -> None:
    torch.manual_seed(0)
    net = FeatureNet(features=8, channels=(4, 8, 8))
    assert net(torch.rand(2, 3, 24, 32)).shape == (2, 8, 6, 8)
    assert net(torch.rand(1, 3, 30, 50)).shape == (1, 8, 8, 13)
