"""Fusions: values known by hand, order of views, empty slots."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.errors import SettingError
from sem_field_ros.fusion.agreement import member_weights
from sem_field_ros.fusion.hand_made import HAND_MADE, Votes, view_scores
from sem_field_ros.fusion.registry import FUSION_HELP, FUSIONS, chosen_fusions, make_fusion

# three views of one voxel, two classes: weakly 0, weakly 0, strongly 1 (the newest is the first weak one)
SAMPLES = torch.tensor([[[0.6, 0.4], [0.6, 0.4], [0.05, 0.95]]])
SCORES = torch.tensor([[1.0, 1.0, 2.0]])
ORDER = torch.tensor([[7, 3, 5]], dtype=torch.int32)


def test_known_values():
    fuse = {name: make_fusion(name).fuse(Votes(SAMPLES, SCORES, ORDER))[0] for name in FUSIONS}
    assert fuse["last_wins"].tolist() == pytest.approx([0.6, 0.4])
    assert fuse["majority"].tolist() == pytest.approx([2 / 3, 1 / 3], abs=1e-3)
    bayes = torch.tensor([0.6 * 0.6 * 0.05, 0.4 * 0.4 * 0.95])
    assert fuse["bayesian"].tolist() == pytest.approx((bayes / bayes.sum()).tolist(), abs=1e-5)
    weighted = 0.6 * SAMPLES[0, 0] + 0.6 * SAMPLES[0, 1] + 2 * 0.95 * SAMPLES[0, 2]
    assert fuse["confidence"].tolist() == pytest.approx((weighted / weighted.sum()).tolist(), abs=1e-5)


def test_consistency_weights_the_segmenters_of_a_view():
    """Slots alternate between two segmenters; those of the consistent one have far more weight."""
    g = torch.Generator().manual_seed(0)
    samples = torch.softmax(torch.randn(6, 4, 3, generator=g), dim=2)
    scores, order = torch.rand(6, 4, generator=g), torch.ones(6, 4, dtype=torch.int32)
    fuse, agreement = make_fusion("consistency").fuse, torch.tensor([0.5, 0.8])
    confidence = make_fusion("confidence").fuse(Votes(samples, scores, order))
    for same in (None, torch.tensor([0.7]), torch.tensor([0.8, 0.8])):
        torch.testing.assert_close(fuse(Votes(samples, scores, order, agreement=same)), confidence)
    weights = scores * samples.amax(dim=2) * member_weights(agreement)[torch.tensor([0, 1, 0, 1])]
    wanted = (samples * weights[..., None]).sum(dim=1) / weights.sum(dim=1, keepdim=True)
    torch.testing.assert_close(fuse(Votes(samples, scores, order, agreement=agreement)), wanted)
    first = Votes(samples[:, :3], scores[:, :3], order[:, :3], agreement=agreement)  # an odd number of slots in use
    wanted = (samples * weights[..., None])[:, :3].sum(dim=1) / weights[:, :3].sum(dim=1, keepdim=True)
    torch.testing.assert_close(fuse(first), wanted)


@pytest.mark.parametrize("name", FUSIONS)
def test_no_view_is_no_opinion_and_one_view_is_that_view(name):
    empty = make_fusion(name).fuse(Votes(torch.zeros(2, 4, 3), torch.zeros(2, 4), torch.zeros(2, 4, dtype=torch.int32)))
    assert not empty.any() and empty.shape == (2, 3)
    samples = torch.zeros(1, 4, 3)
    samples[0, 2] = torch.tensor([0.1, 0.7, 0.2])
    scores = torch.tensor([[0.0, 0, 0.5, 0]])
    one = make_fusion(name).fuse(Votes(samples, scores, torch.ones(1, 4, dtype=torch.int32)))
    assert int(one.argmax()) == 1
    if name not in ("majority", "gnesf"):  # which say the view's class, but may be more or less sure of it
        assert one[0].tolist() == pytest.approx([0.1, 0.7, 0.2], abs=1e-5)


@settings(deadline=None)  # the first example loads the learned fusion
@given(st.permutations(range(4)), st.sampled_from(sorted(FUSIONS)), st.integers(0, 10_000))
def test_the_order_of_slots_changes_nothing(permutation, name, seed):
    g = torch.Generator().manual_seed(seed)
    samples = torch.softmax(torch.randn(5, 4, 3, generator=g), dim=2)
    scores = torch.rand(5, 4, generator=g)
    scores[0, 1] = 0
    samples[0, 1] = 0
    order = torch.randperm(4, generator=g).int().expand(5, 4)
    fusion = make_fusion(name)
    a = fusion.fuse(Votes(samples.clone(), scores, order))
    p = list(permutation)
    b = fusion.fuse(Votes(samples[:, p].clone(), scores[:, p], order[:, p]))
    assert torch.allclose(a, b, atol=1e-5)
    assert torch.allclose(a.sum(1), torch.ones(5), atol=1e-4)


def test_last_wins_takes_all_views_of_the_newest_keyframe() -> None:
    """Each member of a combined segmenter is a view: none may lose because of its slot."""
    order = torch.tensor([[7, 3, 7]], dtype=torch.int32)
    fused = make_fusion("last_wins").fuse(Votes(SAMPLES, SCORES, order))[0]
    assert fused.tolist() == pytest.approx([(0.6 + 0.05) / 2, (0.4 + 0.95) / 2])


def test_unknown_fusion_names_the_known_ones():
    with pytest.raises(SettingError, match="gnesf, bayesian, majority"):
        make_fusion("mean")


def test_near_and_frontal_views_score_higher():
    near, far = view_scores(torch.tensor([0.5, 3.0]), torch.tensor([1.0, 1.0]))
    oblique = view_scores(torch.tensor([0.5]), torch.tensor([0.2]))[0]
    assert near > far and near > oblique > 0


def test_the_registry_names_every_fusion() -> None:
    assert set(FUSIONS) == {"gnesf", *HAND_MADE}
    assert all(name in FUSION_HELP for name in FUSIONS)
    assert chosen_fusions("all") == tuple(FUSIONS) and chosen_fusions("majority") == ("majority",)
