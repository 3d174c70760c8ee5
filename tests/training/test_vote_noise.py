"""Views spoilt on purpose: they stay distributions, whole views are hit, and the rest stays as it was."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.training.vote_noise import spoil_views


def said(voxels: int, views: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities [voxels, views, classes] and the numbers of the views, which differ in order between voxels."""
    g = torch.Generator().manual_seed(seed)
    samples = torch.softmax(2 * torch.randn(voxels, views, classes, generator=g), dim=-1)
    order = torch.rand(voxels, views, generator=g).argsort(dim=1)
    samples[torch.rand(voxels, views, generator=g) < 0.2] = 0  # empty slots
    return samples, order


@given(st.integers(0, 1000), st.integers(2, 6))
def test_spoilt_votes_are_distributions(seed: int, classes: int) -> None:
    samples, order = said(12, 4, classes, seed)
    spoilt = spoil_views(samples, order, 0.7, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(spoilt.sum(dim=-1), samples.sum(dim=-1), atol=1e-5, rtol=0)
    assert (spoilt >= 0).all()


def test_whole_views_are_spoilt() -> None:
    samples, order = said(40, 6, 5, 3)
    share = []
    for seed in range(30):
        spoilt = spoil_views(samples, order, 0.3, torch.Generator().manual_seed(seed))
        changed = (spoilt - samples).abs().amax(dim=-1) > 1e-6
        hit = [bool(changed[order == view].any()) for view in range(6)]
        assert not changed[~torch.tensor(hit)[order]].any()
        share.append(sum(hit) / 6)
    assert 0.2 < sum(share) / len(share) < 0.4


def test_no_share_no_change() -> None:
    samples, order = said(5, 3, 4, 0)
    assert torch.equal(spoil_views(samples, order, 0.0, torch.Generator().manual_seed(0)), samples)
    everything = spoil_views(samples, order, 1.0, torch.Generator().manual_seed(0))
    assert not torch.equal(everything, samples)
