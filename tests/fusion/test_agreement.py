"""Agreement of segmenters with themselves: values known by hand, a slow twin, and the weights made of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.fusion.agreement import _PRIOR_VIEWS, EXPECTED, log_odds, member_weights, self_agreement


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(labels, classes).float()


def numbers(voxels: int, views: int, members: int) -> torch.Tensor:
    """Keyframe numbers [voxels, views * members]: all segmenters see the same keyframes."""
    return torch.arange(views).repeat_interleave(members).expand(voxels, -1)


def mixed(kappa: float, views: float) -> float:
    """Kappa of so many views, mixed with the value assumed before there are any."""
    return (kappa * views + EXPECTED * _PRIOR_VIEWS) / (views + _PRIOR_VIEWS)


def test_a_consistent_a_constant_and_a_random_segmenter() -> None:
    n, views = 2000, 4
    g = torch.Generator().manual_seed(0)
    consistent = torch.randint(5, (n, 1), generator=g).expand(n, views)
    constant = torch.full((n, views), 3)
    random = torch.randint(5, (n, views), generator=g)
    labels = torch.stack([consistent, constant, random], dim=2).flatten(1)  # slot k is of segmenter k % 3
    found = self_agreement(one_hot(labels, 5), numbers(n, views, 3), torch.ones(n, 3 * views, dtype=torch.bool), 3)
    assert found.tolist() == pytest.approx([mixed(k, n * views) for k in (1, 0, 0)], abs=0.02)


def test_kappa_by_hand() -> None:
    """Two voxels, two views each: one agrees. Observed 1/2; shares 3/4 and 1/4, by chance 5/8: (1/2 - 5/8) / (3/8)."""
    probabilities = one_hot(torch.tensor([[0, 0], [0, 1]]), 2)
    found = self_agreement(probabilities, numbers(2, 2, 1), torch.ones(2, 2, dtype=torch.bool), 1)
    assert float(found) == pytest.approx(mixed(-1 / 3, 4))


def test_without_pairs_of_views_it_is_what_is_expected() -> None:
    seen = torch.tensor([[True, True, False, False]] * 3)  # one view by each of two segmenters
    found = self_agreement(torch.rand(3, 4, 5), numbers(3, 2, 2), seen, 2)
    assert found.tolist() == [EXPECTED, EXPECTED]
    nothing = torch.zeros(0, 4, 5), torch.zeros(0, 4), torch.zeros(0, 4, dtype=torch.bool)
    assert self_agreement(*nothing, 2).tolist() == [EXPECTED] * 2


def test_only_keyframes_in_which_all_segmenters_vote_are_compared() -> None:
    """The second one predicts nothing where the first contradicts itself: in what both label, both agree."""
    labels = torch.tensor([[0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 0]] * 500)
    seen = torch.tensor([[True, True, True, True, True, False]] * 1000)
    keyframes = torch.tensor([[3, 3, 5, 5, 7, 9]] * 1000)
    found = self_agreement(one_hot(labels, 2), keyframes, seen, 2)
    assert found.tolist() == pytest.approx([mixed(1, 2000)] * 2)
    shuffled = torch.tensor([4, 1, 0, 5, 2, 3])  # the slots of one keyframe need not be neighbours
    again = self_agreement(one_hot(labels[:, shuffled], 2), keyframes[:, shuffled], seen[:, shuffled], 2)
    torch.testing.assert_close(again, found)


def slow_kappa(labels: list[list[int]], classes: int) -> float:
    """Fleiss' kappa over voxels with at least two labels, mixed with the prior; each view counts once."""
    labels = [row for row in labels if len(row) > 1]
    views = sum(len(row) for row in labels)
    if not views:
        return EXPECTED
    agreeing = 0.0
    for row in labels:
        for i, one in enumerate(row):
            others = row[:i] + row[i + 1 :]
            agreeing += sum(one == other for other in others) / len(others)
    by_chance = sum((sum(row.count(c) for row in labels) / views) ** 2 for c in range(classes))
    kappa = (agreeing / views - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0
    return mixed(kappa, views)


@given(st.integers(0, 1000), st.integers(1, 3), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_it_is_its_slow_twin(seed: int, members: int, views: int) -> None:
    g = torch.Generator().manual_seed(seed)
    n, classes = 12, 3
    probabilities = torch.softmax(3 * torch.randn(n, views * members, classes, generator=g), dim=2)
    seen = torch.rand(n, views * members, generator=g) > 0.3
    found = self_agreement(probabilities * seen[..., None], numbers(n, views, members), seen, members)
    seen = seen.unflatten(1, (views, members)).all(dim=2).repeat_interleave(members, dim=1)
    label = probabilities.argmax(dim=2)
    for member in range(members):
        rows = [[int(c) for c, s in zip(*pair, strict=True) if s] for pair in
                zip(label[:, member::members], seen[:, member::members], strict=True)]  # fmt: skip
        assert float(found[member]) == pytest.approx(slow_kappa(rows, classes), abs=1e-5)


def test_weights_by_hand() -> None:
    high, low = (1 + 4 * x / (1 + x) for x in ((4 / 3) ** 4, (1 / 3) ** 4))  # odds of 0.8 and of 0.5
    assert member_weights(torch.tensor([0.5, 0.8])).tolist() == pytest.approx([low / high, 1])
    assert member_weights(torch.tensor([0.7, 0.7, 0.7])).tolist() == [1, 1, 1]
    inconsistent = member_weights(torch.tensor([0.6, 0.4]))
    assert float(inconsistent.min()) > 0.8, "two inconsistent segmenters: about equal"
    extreme = member_weights(torch.tensor([1.0, -0.2]))
    assert extreme.tolist() == pytest.approx([1, 0.2], abs=1e-3), "at most five times the weight"
    assert bool(torch.isfinite(log_odds(torch.tensor([1.0, -0.2]))).all())
