"""Sensor model of a consumer depth camera: noise and quantisation that grow with z^2, dropouts at edges."""

from __future__ import annotations

import cv2
import numpy as np

_BASELINE_FOCAL = 0.075 * 580.0  # metres times pixels of a structured-light camera: disparity = this / z
_DISPARITY_STEP = 0.125  # pixels; such cameras measure disparity in eighths
_DISPARITY_NOISE = 0.06  # pixels, one standard deviation; with the rounding 2.3 mm at 1.2 m, 14 mm at 3 m
_NOISE_GRAIN = 1.5  # pixels; neighbours share their matching window and so their error
_EDGE_JUMP = 0.04  # relative depth difference of neighbours that makes an edge
_GRAZING_JUMP = 0.015


def noisy_depth(depth: np.ndarray, rng: np.random.Generator, range_m: tuple[float, float] = (0.4, 6.0)) -> np.ndarray:
    """Degrade a perfect depth image as a structured-light camera would.

    Disparity gets spatially correlated Gaussian noise and is rounded to eighths of a pixel, so depth errors grow
    with z^2; most pixels at depth edges and some on grazing surfaces drop out; so does depth outside `range_m`.

    depth  [h, w] float32 metres, 0 = invalid; returns the same.
    """
    valid = (depth >= range_m[0]) & (depth <= range_m[1])
    disparity = _BASELINE_FOCAL / np.where(valid, depth, 1.0)
    grain = cv2.GaussianBlur(rng.normal(size=depth.shape).astype(np.float32), (0, 0), _NOISE_GRAIN)
    disparity = disparity + grain * np.float32(_DISPARITY_NOISE / max(float(grain.std()), 1e-6))
    disparity = np.round(disparity / _DISPARITY_STEP) * _DISPARITY_STEP
    measured = _BASELINE_FOCAL / np.maximum(disparity, _DISPARITY_STEP)
    jump = _relative_jump(depth)
    chance = np.where(jump > _EDGE_JUMP, 0.75, np.where(jump > _GRAZING_JUMP, 0.12, 0.002))
    speckle = cv2.GaussianBlur(rng.normal(size=depth.shape).astype(np.float32), (0, 0), 0.7)
    rank = np.argsort(np.argsort(speckle, axis=None)).reshape(depth.shape) / depth.size  # uniform, but in patches
    return np.where(valid & (rank >= chance), measured, 0).astype(np.float32)


def _relative_jump(depth: np.ndarray) -> np.ndarray:
    """Largest depth difference in the 3x3 neighbourhood over the depth itself, [h, w]."""
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(depth, kernel) - cv2.erode(depth, kernel)
    return spread / np.maximum(depth, 0.1)
