"""Rendering weights against the equations written out sample by sample."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.fields.common.rendering import (
    density_weights,
    probability_cross_entropy,
    render,
    sample_along_rays,
    sdf_weights,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 8), min_size=1, max_size=12))
def test_density_weights_are_equation_7(sigma: list[float]) -> None:
    expected = []
    for m, value in enumerate(sigma):
        transmitted = math.exp(-sum(sigma[:m]))
        expected.append(transmitted * (1 - math.exp(-value)))
    got = density_weights(torch.tensor([sigma], dtype=torch.float64))[0]
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64))
    assert float(got.sum()) <= 1 + 1e-9


def slow_sdf_weights(sdf: list[float], depth: list[float], tr: float) -> list[float]:
    """Eq. 8 and 9."""
    first = math.inf
    for i in range(1, len(sdf)):
        if sdf[i - 1] > 0 >= sdf[i]:
            first = depth[i]
            break
    raw = [
        (1 / (1 + math.exp(-s / tr))) * (1 / (1 + math.exp(s / tr))) if d <= first + tr else 0.0
        for s, d in zip(sdf, depth, strict=True)
    ]
    return [w / max(sum(raw), 1e-9) for w in raw]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=12))
def test_sdf_weights_are_equations_8_and_9(sdf: list[float]) -> None:
    depth = [0.5 + 0.07 * i for i in range(len(sdf))]
    got = sdf_weights(torch.tensor([sdf], dtype=torch.float64), torch.tensor([depth], dtype=torch.float64), 0.1)[0]
    torch.testing.assert_close(got, torch.tensor(slow_sdf_weights(sdf, depth, 0.1), dtype=torch.float64))


def test_the_weight_is_highest_at_the_first_surface_and_zero_behind_it() -> None:
    depth = torch.arange(0, 4, 0.02)[None]
    sdf = torch.minimum((depth - 1.1).abs() - 0.15, 3.0 - depth).clamp(-0.15, 0.15)  # a box at 1 m, a wall at 3 m
    weights = sdf_weights(sdf, depth, truncation_m=0.1)
    assert float(weights.sum()) == pytest.approx(1.0)
    at = float(depth[0, weights[0].argmax()])
    assert at == pytest.approx(0.95, abs=0.03)
    assert float(weights[0, depth[0] > 1.1].sum()) == 0


def test_metres_in_metres_out() -> None:
    """Twice the scene with twice the truncation has the same weights: nothing is normalised on the way."""
    depth = torch.arange(0, 2, 0.02)[None]
    sdf = (1.0 - depth).clamp(-0.12, 0.12)
    torch.testing.assert_close(sdf_weights(sdf, depth, 0.12), sdf_weights(2 * sdf, 2 * depth, 0.24))


def test_rendering_by_hand() -> None:
    values = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    torch.testing.assert_close(render(torch.tensor([[0.25, 0.75]]), values), torch.tensor([[0.25, 0.75]]))


def test_cross_entropy_by_hand() -> None:
    predicted = torch.tensor([[0.5, 0.5], [0.1, 0.3], [0.9, 0.1]])
    target = torch.tensor([0, 1, -1])
    expected = -(math.log(0.5) + math.log(0.75)) / 2
    assert float(probability_cross_entropy(predicted, target)) == pytest.approx(expected)
    assert float(probability_cross_entropy(predicted, torch.full((3,), -1))) == 0


def test_gradients_of_the_rendering() -> None:
    depth = torch.linspace(0, 1, 6, dtype=torch.float64)[None]
    values = torch.rand(1, 6, 3, dtype=torch.float64)
    sdf = torch.tensor([[0.3, 0.2, 0.1, -0.05, -0.1, -0.2]], dtype=torch.float64, requires_grad=True)
    sigma = torch.rand(1, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: render(sdf_weights(s, depth, 0.1), values), (sdf,))
    assert torch.autograd.gradcheck(lambda s: render(density_weights(s), values), (sigma,))


def test_samples_are_in_order_and_in_their_parts() -> None:
    near, far = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 2.5])
    middles = sample_along_rays(near, far, 4)
    torch.testing.assert_close(middles[0], torch.tensor([1.25, 1.75, 2.25, 2.75]))
    jittered = sample_along_rays(near, far, 4, torch.Generator().manual_seed(0))
    assert (jittered.diff(dim=1) > 0).all()
    assert ((jittered[0] - middles[0]).abs() <= 0.25).all() and not torch.equal(jittered, middles)


def test_samples_in_proportion_to_the_distance() -> None:
    depth = sample_along_rays(torch.tensor([0.5]), torch.tensor([8.0]), 4, log=True)  # 16 = 2^4: each part doubles
    torch.testing.assert_close(depth, torch.tensor([[0.5, 1.0, 2.0, 4.0]]) * math.sqrt(2))
