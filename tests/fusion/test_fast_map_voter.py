"""The fast vote against MapVoter.forward, its readable twin."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.fusion.fast_map_voter import FastMapVoter
from sem_field_ros.fusion.hand_made import Votes
from sem_field_ros.fusion.learned import LearnedFusion
from sem_field_ros.fusion.map_voter import MAP_CUES, MapVoter, MapVoterConfig


def random_voter(pooling: str, g: torch.Generator, config: MapVoterConfig | None = None) -> MapVoter:
    c = config or MapVoterConfig(encoder=5, features=4, base=(8, 6), head=(5, 4))
    voter = MapVoter(MapVoterConfig(c.encoder, c.features, c.base, c.head, pooling)).eval()
    for parameter in voter.parameters():
        parameter.data.normal_(std=0.4, generator=g)
    return voter


def random_votes(n: int, k: int, classes: int, features: int, g: torch.Generator) -> tuple[torch.Tensor, ...]:
    seen = torch.rand(n, k, generator=g) > 0.4
    probabilities = torch.softmax(4 * torch.randn(n, k, classes, generator=g), dim=-1) * seen[..., None]
    # what a reused slot held before must not matter: features and cues are not cleared
    return (
        probabilities,
        torch.rand(n, k, features, generator=g) * 2 - 1,
        torch.randn(n, k, MAP_CUES, generator=g),
        seen,
    )


@pytest.mark.parametrize("pooling", ["linear", "log", "logits"])
@given(n=st.integers(0, 40), k=st.integers(1, 9), classes=st.integers(1, 21), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_it_is_its_twin(pooling: str, n: int, k: int, classes: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    voter = random_voter(pooling, g)
    votes = random_votes(n, k, classes, 4, g)
    with torch.no_grad():
        expected = voter(*votes)
    for got, wanted in zip(FastMapVoter(voter)(*votes), expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


def test_at_the_size_it_ships_in() -> None:
    g = torch.Generator().manual_seed(0)
    voter = random_voter("log", g, MapVoterConfig())
    votes = random_votes(2000, 8, 20, 16, g)
    with torch.no_grad():
        expected = voter(*votes)
    fused, weights = FastMapVoter(voter)(*votes)
    torch.testing.assert_close(fused, expected[0], atol=5e-5, rtol=1e-4)  # of 8-bit probabilities
    torch.testing.assert_close(weights, expected[1], atol=1e-5, rtol=1e-5)
    assert float(weights.std()) > 0.05, "weights that do not differ would prove nothing"


def test_what_it_is_not_for_is_voted_on_by_the_twin() -> None:
    for config in (
        MapVoterConfig(5, 4, (8, 6), (5, 4), activation="elu"),
        MapVoterConfig(5, 4, (8, 6), (5, 4), "direct", 3),
    ):
        voter = MapVoter(config).eval()
        assert not FastMapVoter.can_do(voter)
        votes = random_votes(20, 3, 3, 4, torch.Generator().manual_seed(1))
        fused = LearnedFusion(voter).fuse(Votes(votes[0], votes[3].float(), votes[3].int(), votes[1], votes[2]))
        with torch.no_grad():
            expected = voter(*votes)[0]
        torch.testing.assert_close(fused, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["linear", "log", "logits"])
def test_slots_in_use_may_lie_anywhere(pooling: str) -> None:
    """The last ones empty everywhere, the first ones too, and voxels that nobody sees."""
    g = torch.Generator().manual_seed(2)
    voter = random_voter(pooling, g)
    probabilities, features, cues, seen = random_votes(50, 7, 4, 4, g)
    seen[:, [0, 5, 6]] = False
    seen[::5] = False
    votes = probabilities * seen[..., None], features, cues, seen
    with torch.no_grad():
        expected = voter(*votes)
    fused, weights = FastMapVoter(voter)(*votes)
    torch.testing.assert_close(fused, expected[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weights, expected[1], atol=1e-5, rtol=1e-5)
    assert not fused[::5].any() and not weights[::5].any() and weights.shape == (50, 7)


def test_it_changes_none_of_its_inputs() -> None:
    g = torch.Generator().manual_seed(1)
    votes = random_votes(10, 3, 4, 4, g)
    before = [tensor.clone() for tensor in votes]
    FastMapVoter(random_voter("log", g))(*votes)
    for tensor, old in zip(votes, before, strict=True):
        torch.testing.assert_close(tensor, old, atol=0, rtol=0)
