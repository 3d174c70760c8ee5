"""The residual vote: untrained it is the hand-made fusion; order and number of views and segmenters do not matter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.errors import WeightsError
from sem_field_ros.fusion.hand_made import HAND_MADE, Votes
from sem_field_ros.fusion.learned import RESIDUAL_KIND, ResidualFusion, load_fusion, residual_inputs
from sem_field_ros.fusion.registry import make_fusion
from sem_field_ros.fusion.residual_voter import RESIDUAL_CUES, ResidualVoter, ResidualVoterConfig, residual_cues
from sem_field_ros.weights import WeightsCard, save_weights

SIZES = ResidualVoterConfig((6, 5))


def random_votes(g: torch.Generator, n: int, views: int, members: int, classes: int) -> Votes:
    """Votes with empty slots, in 8 bits like those of a map."""
    scores = torch.rand(n, views * members, generator=g) * (torch.rand(n, views * members, generator=g) > 0.3)
    p = torch.softmax(3 * torch.randn(n, views * members, classes, generator=g), dim=2)
    p = (p * 255).round() / 255 * (scores > 0)[..., None]
    agreement = torch.rand(members, generator=g) if members > 1 else None
    return Votes(p, scores, torch.zeros(scores.shape, dtype=torch.int32), agreement=agreement)


def random_voter(g: torch.Generator) -> ResidualVoter:
    voter = ResidualVoter(SIZES)
    for parameter in voter.parameters():
        parameter.data.normal_(std=0.5, generator=g)
    return voter


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 3), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_untrained_it_is_the_hand_made_fusion(seed: int, views: int, members: int, classes: int) -> None:
    votes = random_votes(torch.Generator().manual_seed(seed), 8, views, members, classes)
    fused = ResidualFusion(ResidualVoter(SIZES)).fuse(votes)
    torch.testing.assert_close(fused, HAND_MADE["consistency"]().fuse(votes), atol=1e-5, rtol=1e-4)
    if members == 1:
        torch.testing.assert_close(fused, HAND_MADE["confidence"]().fuse(votes), atol=1e-5, rtol=1e-4)


def test_trained_it_is_another() -> None:
    g = torch.Generator().manual_seed(1)
    votes = random_votes(g, 20, 4, 2, 3)
    fused = ResidualFusion(random_voter(g)).fuse(votes)
    assert float((fused - HAND_MADE["consistency"]().fuse(votes)).abs().max()) > 0.03
    seen = (votes.scores > 0).any(dim=1)
    torch.testing.assert_close(fused.sum(dim=1), seen.float(), atol=1e-5, rtol=0)


@given(st.integers(0, 1000), st.permutations(range(4)), st.permutations(range(3)))
@settings(max_examples=25, deadline=None)
def test_views_and_segmenters_may_be_permuted(seed: int, views: list[int], members: list[int]) -> None:
    g = torch.Generator().manual_seed(seed)
    voter, votes = random_voter(g), random_votes(g, 6, 4, 3, 4)
    order = torch.tensor([view * 3 + member for view in views for member in members])
    assert votes.agreement is not None
    with torch.no_grad():
        fused, weights = voter(votes.probabilities, votes.scores, votes.agreement)
        again = voter(votes.probabilities[:, order], votes.scores[:, order], votes.agreement[members])
    torch.testing.assert_close(again[0], fused, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(again[1], weights[:, order], atol=1e-5, rtol=1e-4)


def test_empty_slots_and_segmenters_that_do_not_vote_change_nothing() -> None:
    g = torch.Generator().manual_seed(2)
    voter, votes = random_voter(g), random_votes(g, 10, 3, 2, 4)
    assert votes.agreement is not None
    p, scores = votes.probabilities.unflatten(1, (3, 2)), votes.scores.unflatten(1, (3, 2))
    wide_p, wide_scores = torch.zeros(10, 5, 3, 4), torch.zeros(10, 5, 3)
    wide_p[:, :3, :2], wide_scores[:, :3, :2] = p, scores
    agreement = torch.cat([votes.agreement, torch.tensor([0.99])])  # of the absent one
    with torch.no_grad():
        fused, _ = voter(votes.probabilities, votes.scores, votes.agreement)
        wide, _ = voter(wide_p.flatten(1, 2), wide_scores.flatten(1, 2), agreement.expand(10, 3))
    torch.testing.assert_close(wide, fused, atol=1e-5, rtol=1e-4)


def test_slots_of_an_incomplete_keyframe_are_filled_up() -> None:
    """A map fuses only the slots up to the last one in use."""
    g = torch.Generator().manual_seed(3)
    votes = random_votes(g, 5, 2, 2, 3)
    short = Votes(votes.probabilities[:, :3], votes.scores[:, :3], votes.keyframe_id[:, :3], agreement=votes.agreement)
    p, scores, _ = residual_inputs(short)
    assert p.shape == (5, 4, 3) and not p[:, 3].any() and not scores[:, 3].any()
    fusion = ResidualFusion(random_voter(g))
    filled = Votes(p, scores, votes.keyframe_id, agreement=votes.agreement)
    torch.testing.assert_close(fusion.fuse(short), fusion.fuse(filled))


def test_cues_by_hand() -> None:
    """One voxel: segmenter 0 has two views that agree on class 0, segmenter 1 one view of class 1."""
    p = torch.tensor([[[[0.8, 0.2], [0.4, 0.6]], [[0.6, 0.4], [0.0, 0.0]]]])
    quality = torch.tensor([[[1.0, 2.0], [0.5, 0.0]]])
    cues = residual_cues(p, quality, torch.tensor([[0.8, 0.5]]))
    assert cues.shape == (1, 2, 2, RESIDUAL_CUES) and not cues[0, 1, 1].any()
    log = torch.tensor([0.8, 0.2]).log()
    entropy = -(0.8 * log[0] + 0.2 * log[1]) / torch.tensor(2.0).log()
    odds = torch.tensor(4.0).log()
    wanted = [0, 0.8, 0.6, entropy, 0.8 * 0.6 + 0.2 * 0.4, 0.7**2 + 0.3**2, 0.8 * 0.4 + 0.2 * 0.6, 0.4**2 + 0.6**2,
              torch.tensor(2.0).log() / 2, odds / 2, odds / 2]  # fmt: skip
    torch.testing.assert_close(cues[0, 0, 0], torch.tensor([float(v) for v in wanted]), atol=1e-5, rtol=1e-5)
    assert float(cues[0, 0, 1, 10]) == pytest.approx(-float(odds) / 2), "behind the other"
    assert float(cues[0, 0, 1, 4]) == pytest.approx(0.6), "its only view agrees with itself"


def test_it_goes_through_a_file_and_into_a_map(tmp_path: Path) -> None:
    made, path = random_voter(torch.Generator().manual_seed(4)), tmp_path / "vote.safetensors"
    save_weights(path, made.state_dict(), WeightsCard(RESIDUAL_KIND, SIZES.as_dict()))
    fusion, card = load_fusion(path)
    assert isinstance(fusion, ResidualFusion) and card.kind == RESIDUAL_KIND and fusion.feature_dim == 0
    votes = random_votes(torch.Generator().manual_seed(5), 4, 2, 2, 3)
    torch.testing.assert_close(make_fusion("gnesf", str(path), 3).fuse(votes), ResidualFusion(made).fuse(votes))
    save_weights(path, made.state_dict(), WeightsCard(RESIDUAL_KIND, {"hidden": [6]}))
    with pytest.raises(WeightsError, match="not the architecture of a residual vote"):
        load_fusion(path)
