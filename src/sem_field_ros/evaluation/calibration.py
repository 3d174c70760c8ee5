"""Calibration of class probabilities: expected calibration error (Guo et al. 2017), NLL, Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SMALLEST = 1e-6  # smallest probability: a true class of probability 0 costs -log of this, not infinity


@dataclass(frozen=True)
class CalibrationScores:
    """Scores of class probabilities against labels.

    ece         mean |accuracy - confidence| over equal-width confidence bins, weighted by their samples
    mce         the largest such difference
    nll         mean -log probability of the true class          brier  mean squared distance to the one-hot label
    confidence, accuracy, samples   by bin, [B]: mean top probability, share right, number (the reliability diagram)
    """

    ece: float
    mce: float
    nll: float
    brier: float
    confidence: np.ndarray
    accuracy: np.ndarray
    samples: np.ndarray


class Calibration:
    """Sums up over any number of images. Pixels without a label or prediction (sum 0) do not count."""

    def __init__(self, bins: int = 15) -> None:
        self._bins = bins
        self._counts = np.zeros(bins, np.int64)
        self._confidence, self._right = np.zeros(bins), np.zeros(bins)
        self._nll = self._brier = 0.0

    def add(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Add probabilities [C, ...] that sum to 1 and class indices [...] (-1 = none). Raises ValueError."""
        if probabilities.shape[1:] != labels.shape:
            raise ValueError(f"probabilities {probabilities.shape} do not fit labels {labels.shape}")
        p, label = probabilities.reshape(len(probabilities), -1), labels.reshape(-1)
        counted = np.flatnonzero((label >= 0) & (p.sum(axis=0) > 0.5))
        p, label = p[:, counted].astype(np.float64), label[counted].astype(np.int64)
        if len(label) == 0:
            return
        top, confidence = p.argmax(axis=0), np.minimum(p.max(axis=0), 1.0)
        # bins are ]a, b]: a confidence of exactly 1 belongs to the last
        at = np.clip(np.ceil(confidence * self._bins).astype(np.int64) - 1, 0, self._bins - 1)
        self._counts += np.bincount(at, minlength=self._bins)
        self._confidence += np.bincount(at, confidence, minlength=self._bins)
        self._right += np.bincount(at, top == label, minlength=self._bins)
        true = np.take_along_axis(p, label[None], axis=0)[0]
        self._nll -= float(np.log(np.maximum(true, _SMALLEST)).sum())
        self._brier += float((p**2).sum() - 2 * true.sum() + len(label))

    def scores(self) -> CalibrationScores | None:
        """Scores of everything added; None if nothing was counted."""
        total = int(self._counts.sum())
        if not total:
            return None
        filled = np.maximum(self._counts, 1)
        confidence, accuracy = self._confidence / filled, self._right / filled
        gap = np.abs(accuracy - confidence)
        return CalibrationScores(
            ece=float((gap * self._counts).sum() / total),
            mce=float(gap.max()),
            nll=self._nll / total,
            brier=self._brier / total,
            confidence=confidence,
            accuracy=accuracy,
            samples=self._counts.copy(),
        )
