"""Simulated errors: corrupt probabilities stay distributions, whole views are corrupt, and the others stay the same."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.training.samples.vote_noise import corrupt_views


def predictions(voxels: int, views: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities [voxels, views, classes] and keyframe ids, which differ in order between voxels."""
    g = torch.Generator().manual_seed(seed)
    probabilities = torch.softmax(2 * torch.randn(voxels, views, classes, generator=g), dim=-1)
    keyframe_id = torch.rand(voxels, views, generator=g).argsort(dim=1)
    probabilities[torch.rand(voxels, views, generator=g) < 0.2] = 0  # empty slots
    return probabilities, keyframe_id


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_corrupt_votes_are_distributions(seed: int, classes: int) -> None:
    probabilities, keyframe_id = predictions(12, 4, classes, seed)
    corrupt = corrupt_views(probabilities, keyframe_id, 0.7, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(corrupt.sum(dim=-1), probabilities.sum(dim=-1), atol=1e-5, rtol=0)
    assert (corrupt >= 0).all()


def test_whole_views_are_corrupted() -> None:
    probabilities, keyframe_id = predictions(40, 6, 5, 3)
    share = []
    for seed in range(30):
        corrupt = corrupt_views(probabilities, keyframe_id, 0.3, torch.Generator().manual_seed(seed))
        changed = (corrupt - probabilities).abs().amax(dim=-1) > 1e-6
        corrupted = [bool(changed[keyframe_id == view].any()) for view in range(6)]
        assert not changed[~torch.tensor(corrupted)[keyframe_id]].any()
        share.append(sum(corrupted) / 6)
    assert 0.2 < sum(share) / len(share) < 0.4


def test_no_share_no_change() -> None:
    probabilities, keyframe_id = predictions(5, 3, 4, 0)
    assert torch.equal(corrupt_views(probabilities, keyframe_id, 0.0, torch.Generator().manual_seed(0)), probabilities)
    everything = corrupt_views(probabilities, keyframe_id, 1.0, torch.Generator().manual_seed(0))
    assert not torch.equal(everything, probabilities)
