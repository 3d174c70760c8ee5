"""Agreement of a segmenter with itself: which of several segmenters to rely on in a scene, without labels.

In images unlike its training data a network labels the same surface differently from view to view.
"""

from __future__ import annotations

import torch
from torch import Tensor

EXPECTED = 0.5  # agreement assumed before there are views to measure it on
_PRIOR_VIEWS = 500.0  # views of voxels that the assumption counts as
_LEAST, _MOST = 0.02, 0.98  # limits of the agreement in log_odds
# of member_weights; chosen on rooms of two generators, see docs/fusion.md
_LARGEST_GAIN, _HOME_ODDS, _POWER = 4.0, 3.0, 4.0


def self_agreement(probabilities: Tensor, keyframe_id: Tensor, seen: Tensor, members: int) -> Tensor:
    """Fleiss' kappa of each segmenter's most probable classes over the views of a voxel, [members] float32.

    1: all views of a voxel have the same class; 0: they agree as by chance, as with a segmenter that predicts one class
    only (Fleiss 1971; voxels with n views count n times). Only keyframes in which every segmenter votes on the voxel
    count, so that one that predicts nothing in difficult places gains nothing. Few views are mixed with EXPECTED.

    probabilities [N, S, C]; keyframe_id, seen [N, S]; the vote in slot s is by segmenter s % members
    """
    seen = _by_all(keyframe_id, seen, members)
    label = probabilities.argmax(dim=2)
    counts = probabilities.new_zeros(len(label), members, probabilities.shape[2])
    for member in range(members):
        own = slice(member, None, members)
        counts[:, member].scatter_add_(1, label[:, own], seen[:, own].to(counts.dtype))
    views = counts.sum(dim=2)  # [N, M]
    counts = counts * (views > 1)[..., None]
    pairs = (counts * (counts - 1)).sum(dim=2) / (views - 1).clamp(min=1)  # that agree, of each view's partners
    total = counts.sum(dim=(0, 2))
    observed = pairs.sum(dim=0) / total.clamp(min=1)
    by_chance = (counts.sum(dim=0) / total.clamp(min=1)[:, None]).square().sum(dim=1)
    kappa = torch.where(by_chance < 1, (observed - by_chance) / (1 - by_chance).clamp(min=1e-6), 0)
    return (kappa * total + EXPECTED * _PRIOR_VIEWS) / (total + _PRIOR_VIEWS)


def _by_all(keyframe_id: Tensor, seen: Tensor, members: int) -> Tensor:
    """Which of the votes [N, S] are of keyframes in which every segmenter votes on the voxel."""
    result = seen.clone()
    for other in range(members if members > 1 else 0):
        own = slice(other, None, members)
        same = (keyframe_id[:, :, None] == keyframe_id[:, None, own]) & seen[:, None, own]
        result &= same.any(dim=2)
    return result


def log_odds(agreement: Tensor) -> Tensor:
    """Logarithm of agreement / (1 - agreement), limited to about 4 in both directions."""
    return torch.logit(agreement.clamp(_LEAST, _MOST))


def member_weights(agreement: Tensor) -> Tensor:
    """Weights [..., M] of the votes of segmenters with `agreement` [..., M], the largest 1.

    1 + 4 x / (1 + x) with x = (odds / 3)^4 and odds = agreement / (1 - agreement), divided by the largest: about equal
    for segmenters that are all inconsistent (agreement below 0.6), larger, up to five times, for one that is consistent
    (0.8 or more). The limit keeps the classes that only one of them knows.
    """
    gain = (torch.exp(log_odds(agreement)) / _HOME_ODDS) ** _POWER
    weights = 1 + _LARGEST_GAIN * gain / (1 + gain)
    return weights / weights.amax(dim=-1, keepdim=True)
