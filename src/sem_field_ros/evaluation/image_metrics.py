"""Errors of a rendered image or depth: PSNR, SSIM (Wang 2004), depth errors (Eigen 2014)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_WINDOW, _SIGMA = 11, 1.5  # of the Gaussian in Wang et al.'s equations 14-16
_K1, _K2 = 0.01, 0.03
_DELTA = 1.25


def psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB (infinite for equal images): both [H, W, 3] uint8, or float in [0, 1].

    With `mask` [H, W] bool, only its pixels count. Raises ValueError for other shapes.
    """
    difference = _unit(image, truth) - _unit(truth, image)
    if mask is not None:
        difference = difference[mask]
    error = float(np.mean(difference**2)) if difference.size else 0.0
    return float(-10 * np.log10(error)) if error > 0 else float("inf")


def ssim(image: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity, at most 1: mean over channels and pixels; windows reflect the image at its borders.

    Both [H, W, 3] or [H, W], uint8 or float in [0, 1], at least 11 pixels wide and high. Raises ValueError.
    Equal to torchmetrics; Wang's own code omits the borders, which changes the third digit.
    """
    x, y = _unit(image, truth), _unit(truth, image)
    if min(x.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs images of at least {_WINDOW}x{_WINDOW} pixels, got {x.shape[1]}x{x.shape[0]}")
    mx, my = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mx * mx, _blur(y * y) - my * my
    covariance = _blur(x * y) - mx * my
    c1, c2 = _K1**2, _K2**2
    value = (2 * mx * my + c1) * (2 * covariance + c2)
    value /= (mx * mx + my * my + c1) * (variance_x + variance_y + c2)
    return float(value.mean())


def _unit(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    if image.shape != other.shape or image.ndim not in (2, 3):
        raise ValueError(f"images of {image.shape} and {other.shape} cannot be compared")
    return image / 255.0 if image.dtype == np.uint8 else image.astype(np.float64)


def _blur(values: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101))


@dataclass(frozen=True)
class DepthScores:
    """Errors over pixels with both depths; `coverage` is their share of the pixels with true depth.

    mae, rmse  metres      abs_rel  mean |error| / truth      delta1, 2, 3  share with max(d/t, t/d) < 1.25, ^2, ^3
    pixels     number with a true depth
    """

    mae: float
    rmse: float
    abs_rel: float
    delta1: float
    delta2: float
    delta3: float
    coverage: float
    pixels: int


class DepthErrors:
    """Sums up depth errors over any number of images; all pixels have equal weight."""

    def __init__(self) -> None:
        self._sums = np.zeros(6)
        self._both = 0
        self._known = 0

    def add(self, depth: np.ndarray, truth: np.ndarray) -> None:
        """Add depths of equal shape in metres, 0 = unknown. Raises ValueError if the shapes differ."""
        if depth.shape != truth.shape:
            raise ValueError(f"depths of {depth.shape} and {truth.shape} cannot be compared")
        known = truth > 0
        both = known & (depth > 0)
        d, t = depth[both].astype(np.float64), truth[both].astype(np.float64)
        error, ratio = np.abs(d - t), np.maximum(d / t, t / d)
        within = [(ratio < _DELTA**power).sum() for power in (1, 2, 3)]
        self._sums += [error.sum(), (error**2).sum(), (error / t).sum(), *within]
        self._both += int(both.sum())
        self._known += int(known.sum())

    def scores(self) -> DepthScores | None:
        """Errors of everything added; None if no pixel has both depths."""
        if not self._both:
            return None
        mae, square, abs_rel, *delta = (float(value) for value in self._sums / self._both)
        coverage = self._both / self._known
        return DepthScores(mae, square**0.5, abs_rel, delta[0], delta[1], delta[2], coverage, self._known)
