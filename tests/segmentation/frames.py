"""Frames for the segmenter tests."""

from __future__ import annotations

import numpy as np

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics


def frame_of(color: np.ndarray, labels: np.ndarray | None = None, stamp_ns: int = 1) -> PosedFrame:
    h, w = color.shape[:2]
    return PosedFrame(stamp_ns, color, Intrinsics(w, w, w / 2, h / 2, w, h), np.eye(4), labels=labels)


def red_and_blue(width: int = 80, height: int = 60, border: int = 60) -> np.ndarray:
    """Red left of column `border`, blue from it on."""
    color = np.zeros((height, width, 3), np.uint8)
    color[:, :border, 0] = 250
    color[:, border:, 2] = 250
    return color


def check_probabilities(probabilities, classes: int, width: int, height: int) -> None:
    values = probabilities.values
    assert tuple(values.shape) == (classes, height, width)
    assert bool((values >= 0).all())
    total = values.sum(dim=0)
    assert bool((((total - 1).abs() < 1e-4) | (total == 0)).all())
