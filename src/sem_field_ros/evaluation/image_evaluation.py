"""Scores a segmenter on labelled photographs, image by image."""

from __future__ import annotations

import time

import numpy as np
from torch.nn.functional import interpolate

from sem_field_ros.evaluation.calibration import Calibration
from sem_field_ros.evaluation.map_evaluation import true_index
from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.evaluation.results import Row, label_rows
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter


class ImageEvaluation:
    """Pooled scores of one segmenter in its own classes over all photographs given to `add`."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.confusion, self.calibration = Confusion(len(segmenter.labels)), Calibration()
        self.segment_ms: list[float] = []

    def add(self, frame: PosedFrame, source: LabelSet) -> None:
        """Score one photograph whose `labels` are ids of `source`."""
        assert frame.labels is not None
        start = time.perf_counter()
        found = self.segmenter.segment(frame)
        self.segment_ms.append((time.perf_counter() - start) * 1e3)
        truth = true_index(frame.labels, source, self.segmenter.labels)
        values = interpolate(found.values[None].cpu(), truth.shape, mode="bilinear", align_corners=False)[0]
        self.confusion.add(truth, ClassProbabilities(values).label_index().numpy())
        self.calibration.add(values.numpy(), truth)

    def rows(self, benchmark: str, method: str) -> list[Row]:
        """All numbers, under `benchmark` with the name of the label set."""
        named = f"{benchmark}/{self.segmenter.labels.name}"
        rows = label_rows(named, method, "2d", self.confusion, self.segmenter.labels)
        calibration = self.calibration.scores()
        if calibration:
            rows.append(Row(named, method, "ece_2d", calibration.ece))
            rows.append(Row(named, method, "nll_2d", calibration.nll))
        return [*rows, Row(named, method, "ms_per_image", float(np.median(self.segment_ms)))]
