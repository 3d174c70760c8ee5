"""The height of the floor, from the surface of a map alone: the lowest level with enough surface that faces up."""

from __future__ import annotations

import torch
from torch import Tensor

_LEVEL = 0.9  # cosine of normal and up from which surface is level
_BIN_M, _WINDOW = 0.02, 5  # levels are windows of 10 cm: noise and carpets
_SHARE = 0.08  # of the largest level's area: less is the underside of noise, a step, a mirror image
_FLOOR_M2 = 1.0  # a level of this area is a floor whatever stands on it; table tops are smaller
_PART_M2, _ABOVE_M, _ABOVE_M2 = 0.3, 0.3, 0.15  # a smaller one if so much level surface lies so far above it
_BELOW_M, _BELOW_SHARE = 0.08, 0.03  # a floor has at most this share of the surface so far below it


def floor_height(heights: Tensor, upward: Tensor, voxel_m: float) -> float | None:
    """Height of the floor, metres along up, or None if there is none in sight.

    heights [N] of surface voxels, metres along up    upward [N] cosine of their normals and up    voxel_m: their size

    None: too little level surface (the camera saw a table and nothing else), or more than noise below the lowest level
    (a table and its legs, a landing with stairs that lead down).
    """
    level = heights[upward > _LEVEL]
    if not len(level):
        return None
    low = float(level.min())
    area = torch.bincount(((level - low) / _BIN_M).long()).float() * voxel_m**2
    windows = torch.nn.functional.pad(area, (0, _WINDOW - 1)).unfold(0, _WINDOW, 1).sum(dim=1)
    found = int((windows >= max(_PART_M2, _SHARE * float(windows.max()))).long().argmax())
    if windows[found] < _PART_M2:
        return None
    best = found + int(windows[found : found + _WINDOW].argmax())
    start = low + best * _BIN_M
    floor = float(level[(level >= start) & (level < start + _WINDOW * _BIN_M)].mean())
    above = float((level > floor + _ABOVE_M).sum()) * voxel_m**2
    if windows[best] < _FLOOR_M2 and above < _ABOVE_M2:
        return None
    below = float((heights < floor - _BELOW_M).float().mean())
    return floor if below <= _BELOW_SHARE else None
