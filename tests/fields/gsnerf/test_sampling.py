"""Depth-guided sampling (Eq. 8), gains, attention over views."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.fields.gsnerf.attention import ViewAttention
from sem_field_ros.fields.gsnerf.gains import apply_gains, source_gains
from sem_field_ros.fields.gsnerf.sampling import guided_samples, mixed_samples, uniform_samples


def test_random_samples_are_normal_around_the_depth() -> None:
    depth = torch.tensor([1.0, 4.0]).repeat(2000)
    found = guided_samples(depth, 8, 0.05, torch.Generator().manual_seed(0)) / depth[:, None] - 1
    assert float(found.mean()) == pytest.approx(0, abs=0.001)
    assert float(found.std()) == pytest.approx(0.05, rel=0.03)
    assert bool((found.diff(dim=1) >= 0).all()) and float(found.abs().max()) <= 0.15 + 1e-6


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 128])
def test_any_number_of_samples(count: int) -> None:
    found = guided_samples(torch.tensor([2.0]), count, 0.1)[0]
    assert len(found) == count and bool((found.diff() > 0).all())
    assert float(found.mean()) == pytest.approx(2.0, abs=1e-5), "quantiles lie evenly on both sides"
    if count % 2:
        assert float(found[count // 2]) == pytest.approx(2.0)


def test_quantiles_by_hand() -> None:
    found = guided_samples(torch.tensor([1.0]), 3, 1.0, None)[0]
    assert found.tolist() == pytest.approx([max(1 - 0.96742, 0.01), 1.0, 1.96742], abs=1e-4)


def test_uniform_samples_have_equal_ratios() -> None:
    found = uniform_samples(2, 3, 1.0, 8.0, torch.zeros(()))
    assert found[0].tolist() == pytest.approx([2**0.5, 2**1.5, 2**2.5], rel=1e-5)


def test_mixed_samples_are_half_uniform() -> None:
    found = mixed_samples(torch.tensor([2.0]), 9, 0.01, 0.3, 9.0, torch.Generator().manual_seed(1))[0]
    assert len(found) == 9 and bool((found.diff() >= 0).all())
    assert int(((found - 2).abs() < 0.061).sum()) >= 5 and int(((found - 2).abs() > 0.1).sum()) >= 3


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.7, 1.3), min_size=2, max_size=6), st.integers(0, 1000))
def test_gains_undo_exposures(exposures: list[float], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(400, 1, 3, generator=generator) * 0.4 + 0.15
    seen = torch.rand(400, len(exposures), generator=generator) < 0.8
    colors = truth * torch.tensor(exposures)[:, None]
    nearness = torch.zeros(len(exposures))
    nearness[0] = 1
    gains = source_gains(colors, seen, nearness)
    wanted = exposures[0] / torch.tensor(exposures)  # the nearest view keeps its exposure
    assert torch.allclose(gains, wanted[:, None].expand(-1, 3), rtol=0.02)


def test_views_without_common_points_keep_their_exposure() -> None:
    seen = torch.tensor([[True, False], [False, True]])
    gains = source_gains(torch.rand(2, 2, 3) * 0.5 + 0.2, seen, torch.tensor([1.0, 0.5]))
    assert torch.allclose(gains, torch.ones(2, 3))


def test_white_stays_white() -> None:
    images = torch.tensor([1.0, 0.3, 0.0]).reshape(1, 1, 1, 3).expand(1, 3, 1, 3)
    found = apply_gains(images, torch.full((1, 3), 1.2))[0, 0, 0]
    assert found.tolist() == pytest.approx([1.0, 0.36 / (1 + 0.2 * 0.0081), 0.0], abs=1e-6)


def test_attention_takes_any_number_of_views_in_any_order() -> None:
    torch.manual_seed(0)
    net = ViewAttention(8, 2, 2)
    tokens = torch.randn(3, 5, 8)
    mask = torch.ones(3, 5, dtype=torch.bool)
    order = torch.tensor([0, 3, 1, 4, 2])
    assert torch.allclose(net(tokens, mask)[:, order], net(tokens[:, order], mask), atol=1e-6)
    mask[:, 3:] = False
    assert torch.allclose(net(tokens, mask)[:, :3], net(tokens[:, :3], mask[:, :3]), atol=1e-6), "masked: no influence"
