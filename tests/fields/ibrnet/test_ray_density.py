"""What views show at a sample, against slow twins; what must hold for any weights; gradients of the heads."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sem_field_ros.fields.common.views import SourceViews, project_points
from sem_field_ros.fields.ibrnet.ray_density import (
    Blending,
    Channels,
    Pooled,
    RayConfig,
    RayDensity,
    ViewObservations,
    ViewPooling,
    mean_correlation,
    observe,
    patches_of,
    softmax_over_views,
    view_cues,
)
from sem_field_ros.geometry.patches import normalised_patches

CONFIG = RayConfig(hidden=4, channels=6, layers=2, reach=3)


def observed(views: int = 3, points: int = 5, seed: int = 0, dtype: torch.dtype = torch.float32) -> ViewObservations:
    g = torch.Generator().manual_seed(seed)
    seen = torch.rand(views, points, generator=g) < 0.8
    seen[:2] = True
    mask = seen[:, None].to(dtype)
    return ViewObservations(
        torch.randn(views, 4, points, generator=g, dtype=dtype) * mask,
        torch.rand(views, 3, points, generator=g, dtype=dtype) * mask,
        torch.rand(views, points, generator=g, dtype=dtype) * mask[:, 0],
        torch.rand(views, 2, points, generator=g, dtype=dtype) * mask,
        seen,
    )


def reordered(values: ViewObservations, order: list[int]) -> ViewObservations:
    return ViewObservations(*(getattr(values, n)[order] for n in ("features", "colors", "agreement", "depth", "seen")))


def test_the_correlation_is_the_mean_over_the_others() -> None:
    g = torch.Generator().manual_seed(0)
    seen = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
    patches = torch.randn(3, 4, 3, generator=g) * seen[:, None]
    got = mean_correlation(patches, seen)
    for n in range(3):
        for i in range(3):
            others = [
                float(patches[i, :, n] @ patches[j, :, n]) for j in range(3) if j != i and seen[i, n] and seen[j, n]
            ]
            assert float(got[i, n]) == pytest.approx(sum(others) / max(len(others), 1), abs=1e-5)


def test_patches_do_not_feel_exposure() -> None:
    images = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0)) * 0.5
    a = normalised_patches(images, 5, 4, 1e-5)
    b = normalised_patches(images * 1.7 + 0.1, 5, 4, 1e-5)
    assert a.shape == (1, 12, 12, 16)
    torch.testing.assert_close(a, b, atol=1e-3, rtol=0)
    torch.testing.assert_close(a.square().sum(dim=1), torch.ones(1, 12, 16), atol=1e-3, rtol=0)
    flat = normalised_patches(torch.full((1, 3, 24, 32), 0.4), 5, 4, 0.01)
    assert float(flat.abs().max()) < 1e-3


def test_channels_are_a_linear_layer() -> None:
    torch.manual_seed(0)
    layer = Channels(4, 3)
    x = torch.randn(2, 4, 7)
    wanted = torch.nn.functional.linear(x.transpose(1, 2), layer.weight, layer.bias).transpose(1, 2)
    torch.testing.assert_close(layer(x), wanted)
    torch.testing.assert_close(layer(x[0]), wanted[0])


def test_the_order_of_views_changes_nothing_and_unseen_views_do_not_count() -> None:
    torch.manual_seed(0)
    pooling = ViewPooling(4, 4)
    values = observed()
    values.seen[2] = False
    for name in ("features", "colors", "agreement", "depth"):
        getattr(values, name)[2] = 0
    with torch.no_grad():
        whole = pooling(values)
        for order in ([1, 2, 0], [1, 0]):
            other = pooling(reordered(values, order))
            torch.testing.assert_close(whole.joint, other.joint, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(whole.prior, other.prior, atol=1e-4, rtol=1e-5)
            torch.testing.assert_close(whole.per_view[order], other.per_view, atol=1e-5, rtol=1e-5)


def test_weights_sum_to_one_where_anything_is_seen() -> None:
    seen = torch.tensor([[True, False, True], [False, False, True]])
    weights = softmax_over_views(torch.randn(2, 3), seen)
    torch.testing.assert_close(weights.sum(dim=0), torch.tensor([1.0, 0.0, 1.0]))
    assert float(weights[1, 0]) == 0


def test_cues_by_hand() -> None:
    points = torch.tensor([[0.0, 0.0, 2.0]])
    origins = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 2.0]])
    cues = view_cues(points, torch.tensor([[0.0, 0.0, 1.0]]), origins)
    assert cues.shape == (2, 5, 1)
    torch.testing.assert_close(cues[0, :, 0], torch.tensor([0.0, 0, 0, 0, math.log(2)]))
    torch.testing.assert_close(cues[1, :, 0], torch.tensor([-1.0, 0, -1, -10, math.log(2)]))


def textured_views(depth: bool) -> tuple[SourceViews, Tensor]:
    """Two cameras, 0.2 m apart, before a wall at 2 m, 16 x 12 pixels; depth images at half that size."""
    K = torch.tensor([[16.0, 0, 7.5], [0, 16, 5.5], [0, 0, 1]]).expand(2, 3, 3)
    T = torch.eye(4).repeat(2, 1, 1)
    T[1, 0, 3] = -0.2
    images = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(1))
    measured = torch.full((2, 6, 8), 2.0)
    measured[1] = 0
    views = SourceViews(torch.ones(2, 4, 3, 4), torch.zeros(2, 2, 3, 4), K, T, (16, 12), measured if depth else None)
    return views, images


def test_depth_says_before_at_or_behind() -> None:
    views, images = textured_views(depth=True)
    points = torch.tensor([[0.0, 0, 1.0], [0, 0, 1.95], [0, 0, 2.0], [0, 0, 3.0], [0, 0, -1.0]])
    projection = project_points(points, views)
    found = observe(views, images, patches_of(images, CONFIG), projection)
    wanted = torch.tensor([-1.0, -0.05 / (0.05 * 1.95), 0.0, 1.0, 0.0])
    torch.testing.assert_close(found.depth[0, 0], wanted, atol=1e-5, rtol=0)
    assert found.depth[0, 1].tolist() == [1, 1, 1, 1, 0] and float(found.depth[1].abs().max()) == 0
    without, images = textured_views(depth=False)
    assert float(observe(without, images, patches_of(images, CONFIG), projection).depth.abs().max()) == 0
    assert found.seen[:, 4].tolist() == [False, False] and float(found.features[:, :, 4].abs().max()) == 0


def test_untrained_density_is_where_the_views_agree() -> None:
    torch.manual_seed(0)
    density = RayDensity(2, CONFIG)
    prior = torch.zeros(1, 8)
    prior[0, 5] = 6.0
    pooled = Pooled(torch.zeros(3, 4, 8), torch.zeros(2 * 4 + 6, 8), prior.flatten())
    spacing = torch.full((1, 8), 0.1)
    found = density(pooled, torch.zeros(4, 8), spacing).detach()[0] * 0.1
    torch.testing.assert_close(found[5], torch.tensor(1.0))
    torch.testing.assert_close(found[:5], torch.full((5,), math.exp(-6)))


def test_gradients_of_the_heads() -> None:
    torch.manual_seed(0)
    values = observed(dtype=torch.float64)
    pooling, blending = ViewPooling(4, 4).double(), Blending(4).double()
    density = RayDensity(2, CONFIG).double()
    torch.nn.init.normal_(density.out.weight)
    cues = torch.randn(3, 5, 5, dtype=torch.float64)

    def run(features: Tensor, colors: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:
        pooled = pooling(replace(values, features=features, colors=colors))
        weights = blending(pooled.per_view, cues, values.agreement, values.seen)
        return density(pooled, encoded, torch.full((1, 5), 0.1, dtype=torch.float64)), weights

    inputs = values.features, values.colors, torch.randn(4, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(run, tuple(x.clone().requires_grad_() for x in inputs))
