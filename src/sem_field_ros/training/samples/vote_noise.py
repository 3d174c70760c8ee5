"""Views corrupt on purpose, so that a voter learns to doubt them: what goes wrong in 2-D labels goes wrong by views.

A corrupt view is corrupt at all voxels alike: it takes some classes for others (a burst of a wrong class), has lost
its contrast (motion blur, glare), or is sure of everything (a net outside what it knows).
"""

from __future__ import annotations

import torch
from torch import Tensor

_KINDS = 4
_SURE, _UNSURE = 3.0, 0.3  # powers that sharpen and flatten probabilities


def corrupt_views(probabilities: Tensor, keyframe_id: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Corrupt about `share` of the views in probabilities [N, K, C]; keyframe_id [N, K] numbers the views.

    The kinds, alike often: two classes swapped, one class in the place of several, flat, and sure of a shuffled class.
    """
    count = int(keyframe_id.max()) + 1 if keyframe_id.numel() else 0
    chosen = torch.rand(count, generator=generator) < share
    result = probabilities.clone()
    for view in chosen.nonzero()[:, 0].tolist():
        at = keyframe_id == view
        result[at] = _corrupted(probabilities[at], int(torch.randint(_KINDS, (), generator=generator)), generator)
    return result


def _corrupted(values: Tensor, kind: int, generator: torch.Generator) -> Tensor:
    """Probabilities [n, C] of one view, corrupt; rows of zeros (no view) stay zeros."""
    if len(values) == 0:
        return values
    classes = values.shape[1]
    shuffled = torch.randperm(classes, generator=generator)
    if kind == 0:  # the class that it says most and another one are swapped
        first = int(values.sum(dim=0).argmax())
        second = int(shuffled[0]) if int(shuffled[0]) != first else int(shuffled[-1])
        swapped = torch.arange(classes)
        swapped[[first, second]] = swapped[[second, first]]
        return values[:, swapped]
    if kind == 1:  # a third of the classes become one
        burst = shuffled[: max(1, classes // 3)]
        result = values.clone()
        result[:, burst] = 0
        result[:, int(burst[0])] = values[:, burst].sum(dim=1)
        return result
    power = _UNSURE if kind == 2 else _SURE
    values = values if kind == 2 else values[:, shuffled]
    raised = values.clamp(min=0) ** power
    return raised / raised.sum(dim=1, keepdim=True).clamp(min=1e-9)
