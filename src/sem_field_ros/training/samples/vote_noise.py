"""Simulated errors of the segmenter, so that a fusion learns to doubt views.

Errors of a segmenter are correlated within a view, so whole views are made corrupt: some classes are confused, or the
probabilities are flat (motion blur, glare), or they are overconfident and wrong (an image unlike the training data).
"""

from __future__ import annotations

import torch
from torch import Tensor

_KINDS = 4
_SURE, _UNSURE = 3.0, 0.3  # powers that sharpen and flatten probabilities


def corrupt_views(probabilities: Tensor, keyframe_id: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Corrupt about `share` of the views in probabilities [N, K, C]; keyframe_id [N, K] identifies the views.

    Four kinds with the same probability: two classes swapped, several classes merged into one, flat probabilities,
    shuffled and sharpened ones.
    """
    count = int(keyframe_id.max()) + 1 if keyframe_id.numel() else 0
    chosen = torch.rand(count, generator=generator) < share
    result = probabilities.clone()
    for view in chosen.nonzero()[:, 0].tolist():
        at = keyframe_id == view
        result[at] = _corrupted(probabilities[at], int(torch.randint(_KINDS, (), generator=generator)), generator)
    return result


def _corrupted(values: Tensor, kind: int, generator: torch.Generator) -> Tensor:
    """Corrupt probabilities [n, C] of one view; rows of zeros (no view) stay zeros."""
    if len(values) == 0:
        return values
    classes = values.shape[1]
    shuffled = torch.randperm(classes, generator=generator)
    if kind == 0:  # the most probable class of the view is swapped with another one
        first = int(values.sum(dim=0).argmax())
        second = int(shuffled[0]) if int(shuffled[0]) != first else int(shuffled[-1])
        swapped = torch.arange(classes)
        swapped[[first, second]] = swapped[[second, first]]
        return values[:, swapped]
    if kind == 1:  # a third of the classes are merged into one
        merged = shuffled[: max(1, classes // 3)]
        result = values.clone()
        result[:, merged] = 0
        result[:, int(merged[0])] = values[:, merged].sum(dim=1)
        return result
    power = _UNSURE if kind == 2 else _SURE
    values = values if kind == 2 else values[:, shuffled]
    raised = values.clamp(min=0) ** power
    return raised / raised.sum(dim=1, keepdim=True).clamp(min=1e-9)
