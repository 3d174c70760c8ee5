"""Soft voting against values known by hand and a slow twin written view by view."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.fields.gnesf.voting import SoftVoting, VotingConfig, masked_moments, masked_softmax

CONFIG = VotingConfig(features=4, cues=3, context=2, base=(8, 6), head=(5, 4))


@pytest.fixture
def net() -> SoftVoting:
    torch.manual_seed(0)
    return SoftVoting(CONFIG).double()


def inputs(points: int, views: int, classes: int = 5, seed: int = 0) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    return {
        "features": normal(points, views, CONFIG.features),
        "classes": torch.softmax(normal(points, views, classes), dim=-1),
        "cues": normal(points, views, CONFIG.cues),
        "seen": torch.rand(points, views, generator=g) > 0.4,
        "context": normal(points, CONFIG.context),
    }


def slow_vote(net: SoftVoting, features, classes, cues, seen, context):  # noqa: ANN001, ANN201
    """Eq. 3 and 4 for one point, one view after another."""
    own = [i for i in range(len(seen)) if seen[i]]
    if not own:
        return torch.zeros(classes.shape[1], dtype=classes.dtype)
    mean = sum(features[i] for i in own) / len(own)
    variance = sum((features[i] - mean) ** 2 for i in own) / len(own)
    scores = {
        i: net.head(torch.cat([net.base(torch.cat([features[i], mean, variance])), cues[i], context])).item()
        for i in own
    }
    total = sum(math.exp(v) for v in scores.values())
    return sum(classes[i] * (math.exp(scores[i]) / total) for i in own)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_fast_and_slow_agree(views: int, seed: int) -> None:
    torch.manual_seed(seed)
    net = SoftVoting(CONFIG).double()
    given_ = inputs(4, views, seed=seed)
    with torch.no_grad():
        voted, weights = net(**given_)
        for n in range(4):
            one = {name: value[n] for name, value in given_.items()}
            torch.testing.assert_close(voted[n], slow_vote(net, **one))
    torch.testing.assert_close(weights.sum(dim=1), given_["seen"].any(dim=1).double())


def test_the_order_of_views_changes_nothing(net: SoftVoting) -> None:
    one = inputs(10, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    other = {name: value[:, order] if name != "context" else value for name, value in one.items()}
    voted, weights = net(**one)
    again, moved = net(**other)
    torch.testing.assert_close(voted, again)
    torch.testing.assert_close(weights[:, order], moved)


def test_one_view_is_that_views_answer(net: SoftVoting) -> None:
    one = inputs(7, 4)
    one["seen"] = torch.zeros(7, 4, dtype=torch.bool)
    one["seen"][:, 2] = True
    voted, _ = net(**one)
    torch.testing.assert_close(voted, one["classes"][:, 2])


def test_unseen_views_have_no_influence_and_unseen_points_no_class(net: SoftVoting) -> None:
    one = inputs(20, 4)
    voted, _ = net(**one)
    hidden = ~one["seen"]
    for name in ("features", "classes", "cues"):
        one[name] = one[name].clone()
        one[name][hidden] = 1e3
    again, _ = net(**one)
    torch.testing.assert_close(voted, again)
    assert hidden.all(dim=1).any(), "the seed gives a point that nobody sees"
    assert (voted[hidden.all(dim=1)] == 0).all()


def test_moments_by_hand() -> None:
    features = torch.tensor([[[1.0], [3.0], [100.0]]])
    seen = torch.tensor([[True, True, False]])
    mean, variance = masked_moments(features, seen)
    assert (mean.item(), variance.item()) == (2.0, 1.0)


def test_softmax_by_hand() -> None:
    weights = masked_softmax(
        torch.tensor([[0.0, math.log(3.0), 50.0], [1.0, 2.0, 3.0]]), torch.tensor([[1, 1, 0], [0, 0, 0]]) > 0
    )
    torch.testing.assert_close(weights, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]]))


def test_gradients(net: SoftVoting) -> None:
    one = inputs(3, 4)
    seen, context = one["seen"], one["context"]

    def voted(features: torch.Tensor, classes: torch.Tensor, cues: torch.Tensor) -> torch.Tensor:
        return net(features, classes, cues, seen, context)[0]

    arguments = tuple(one[name].requires_grad_() for name in ("features", "classes", "cues"))
    assert torch.autograd.gradcheck(voted, arguments)


def test_it_is_as_small_as_the_method_says() -> None:
    parameters = sum(p.numel() for p in SoftVoting(VotingConfig(features=32, cues=3, context=16)).parameters())
    assert 8_000 < parameters < 25_000
