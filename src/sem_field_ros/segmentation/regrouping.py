"""Class probabilities brought from one label set into another."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter


def assignment(own: LabelSet, labels: LabelSet) -> Tensor | None:
    """Matrix [own classes, classes] of 0 and 1, by grouping or equal name; None where the classes are the same.

    Raises SegmenterError where no class has a counterpart.
    """
    if own.has_classes_of(labels):
        return None
    table = own.regroup(labels)
    if (table < 0).all():
        raise SegmenterError(f"label set {labels.name} has no class of {own.name}: leave label_set empty")
    matrix = torch.zeros(len(own), len(labels))
    for i, target in enumerate(table.tolist()):
        if target >= 0:
            matrix[i, target] = 1
    return matrix


def regrouped(values: Tensor, matrix: Tensor | None) -> Tensor:
    """Probabilities [C, h, w] summed by an assignment [C, D] -> [D, h, w].

    The probability of classes without a counterpart supports none of the D: it is spread evenly over them, so that an
    uncertain pixel stays uncertain. Where such a class is the most probable one, the pixel gives no prediction.
    """
    if matrix is None:
        return values
    matrix = matrix.to(values.device)
    sums = torch.einsum("chw,cd->dhw", values, matrix)
    others = values * (matrix.sum(dim=1) == 0)[:, None, None]
    return torch.where(sums.amax(dim=0) > others.amax(dim=0), sums + others.sum(dim=0) / len(sums), 0.0)


class RegroupedSegmenter:
    """Another segmenter's predictions in label set `labels`; see `regrouped`. Raises SegmenterError if none fits."""

    def __init__(self, segmenter: Segmenter, labels: LabelSet) -> None:
        self.labels = labels
        self.encoder = str(getattr(segmenter, "encoder", ""))
        self._segmenter = segmenter
        self._matrix = assignment(segmenter.labels, labels)

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """See Segmenter.segment."""
        found = self._segmenter.segment(frame)
        return dataclasses.replace(found, values=regrouped(found.values, self._matrix))
