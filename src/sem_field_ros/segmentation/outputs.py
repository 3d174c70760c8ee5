"""Checks what a network gives before it becomes class probabilities: its shape, its classes, numbers that are none."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import LabelSet


def check_scores(scores: Tensor | np.ndarray, labels: LabelSet, what: str) -> Tensor:
    """Class scores [1, C, h, w] as float32. Raises SegmenterError for another shape, other classes, NaN or infinity."""
    found = torch.as_tensor(np.asarray(scores, np.float32)) if isinstance(scores, np.ndarray) else scores.float()
    if found.ndim != 4 or found.shape[0] != 1 or found.shape[1] != len(labels):
        raise SegmenterError(
            f"{what} gives {list(found.shape)}, not [1, {len(labels)}, h, w] for label set {labels.name}: choose the "
            "label set it was trained for, and export class scores without arg max"
        )
    if not torch.isfinite(found).all():
        share = 1 - float(torch.isfinite(found).float().mean())
        raise SegmenterError(
            f"{what} gives NaN or infinite scores ({share:.0%} of them): weights or input scaling (mean, std) are wrong"
        )
    return found
