"""Segmentation metrics from one confusion matrix: IoU, accuracy, class accuracy, over the classes present."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SegmentationScores:
    """Scores in [0, 1]. `iou` and `class_accuracy` are by class index, only for classes present in the labels.

    miou            mean IoU over those classes            accuracy  share of labelled samples that are correct
    mean_accuracy   mean class accuracy (recall)           coverage  share of labelled samples that got any class
    samples         number of labelled samples
    """

    miou: float
    accuracy: float
    mean_accuracy: float
    coverage: float
    samples: int
    iou: dict[int, float]
    class_accuracy: dict[int, float]


class Confusion:
    """Counts of (label, prediction) pairs of class indices 0..C-1; label -1 is never scored, prediction -1 is wrong."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), np.int64)  # the last column: predicted nothing

    def add(self, labels: np.ndarray, predictions: np.ndarray) -> None:
        """Add arrays of equal shape. Raises ValueError if shapes differ or an index is out of range."""
        labels, predictions = np.asarray(labels).reshape(-1), np.asarray(predictions).reshape(-1)
        if labels.shape != predictions.shape:
            raise ValueError(f"labels {labels.shape} and predictions {predictions.shape} differ in size")
        scored = labels >= 0
        label, prediction = labels[scored].astype(np.int64), predictions[scored].astype(np.int64)
        if label.size and (label.max() >= self.classes or prediction.max() >= self.classes or prediction.min() < -1):
            raise ValueError(f"class index outside 0..{self.classes - 1}")
        prediction = np.where(prediction < 0, self.classes, prediction)
        flat = np.bincount(label * (self.classes + 1) + prediction, minlength=self.counts.size)
        self.counts += flat.reshape(self.counts.shape)

    def covered(self) -> Confusion:
        """The same without the samples for which nothing was predicted."""
        part = Confusion(self.classes)
        part.counts[:, :-1] = self.counts[:, :-1]
        return part

    def scores(self) -> SegmentationScores:
        """Scores of everything added; all zero without labels."""
        total = int(self.counts.sum())
        square = self.counts[:, :-1]
        right = np.diagonal(square)
        in_labels = self.counts.sum(axis=1)
        union = in_labels + square.sum(axis=0) - right
        present = np.flatnonzero(in_labels)
        iou = {int(c): float(right[c] / union[c]) for c in present}
        recall = {int(c): float(right[c] / in_labels[c]) for c in present}
        return SegmentationScores(
            miou=float(np.mean(list(iou.values()))) if iou else 0.0,
            accuracy=float(right.sum() / total) if total else 0.0,
            mean_accuracy=float(np.mean(list(recall.values()))) if recall else 0.0,
            coverage=float(square.sum() / total) if total else 0.0,
            samples=total,
            iou=iou,
            class_accuracy=recall,
        )


def transfer_labels(
    points: np.ndarray, labels: np.ndarray, targets: np.ndarray, limit_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give each target [M, 3] the label of the nearest of `points` [N, 3], -1 if none lies within `limit_m`.

    Returns labels [M] and distances [M] metres (inf without points).
    """
    from scipy.spatial import cKDTree

    if len(points) == 0:
        return np.full(len(targets), -1, np.int16), np.full(len(targets), np.inf)
    distance, nearest = cKDTree(points).query(targets)
    return np.where(distance <= limit_m, labels[nearest], -1).astype(np.int16), distance
