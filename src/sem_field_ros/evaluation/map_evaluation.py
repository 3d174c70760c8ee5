"""Scores of a finished map: rendered into the labelled views (2-D) and against a labelled mesh (3-D)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_ros.evaluation.metrics import Confusion, SegmentationScores, transfer_labels
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.report import Scores
from sem_field_ros.mapping.surface import RenderedView, Surface

MESH_NAME = "mesh_labels.ply"  # ground truth beside a sequence
DISTANCE_LIMIT_M = 0.1  # a mesh vertex farther from the map than this counts as not mapped
Render = Callable[[Intrinsics, np.ndarray], RenderedView]


@dataclass(frozen=True)
class MapScores:
    """2-D scores, median absolute depth error of the rendered views (metres), and 3-D scores where there is a mesh."""

    views: SegmentationScores | None
    depth_error_m: float | None
    mesh: SegmentationScores | None

    def as_report(self, labels: LabelSet) -> dict[str, Any]:
        """Fields of MapReport: scores_2d, scores_3d and, in extra, the depth error and the class accuracies."""
        extra: dict[str, Any] = {}
        if self.depth_error_m is not None:
            extra["depth_error_m"] = round(self.depth_error_m, 4)
        for name, scores in (("2d", self.views), ("3d", self.mesh)):
            if scores is not None and scores.samples:
                extra[f"mean_accuracy_{name}"] = round(scores.mean_accuracy, 4)
                extra[f"coverage_{name}"] = round(scores.coverage, 4)
        return {"scores_2d": _report(self.views, labels), "scores_3d": _report(self.mesh, labels), "extra": extra}


def _report(scores: SegmentationScores | None, labels: LabelSet) -> Scores | None:
    if scores is None or scores.samples == 0:
        return None
    per_class = {labels.names[c]: round(v, 4) for c, v in scores.iou.items()}
    return Scores(round(scores.miou, 4), round(scores.accuracy, 4), per_class, scores.samples)


def evaluate_map(
    surface: Surface, render: Render, labels: LabelSet, sequence: SequenceReader, every: int = 1
) -> MapScores:
    """Score a map (classes `labels`) against a sequence's label images and, beside it, its mesh_labels.ply.

    The sequence's classes are regrouped into the map's where the sets differ; what has no counterpart is not scored.
    """
    if sequence.labels is None:
        return MapScores(None, None, None)
    table = np.append(sequence.labels.regroup(labels), -1)
    views, depth_error_m = _score_views(render, labels, sequence.labels, table, sequence, every)
    mesh = Path(getattr(sequence, "path", "")) / MESH_NAME
    return MapScores(
        views, depth_error_m, _score_mesh(mesh, surface, labels, sequence.labels, table) if mesh.is_file() else None
    )


def _score_views(
    render: Render, labels: LabelSet, own: LabelSet, table: np.ndarray, frames: Iterable[PosedFrame], every: int
) -> tuple[SegmentationScores, float | None]:
    confusion, errors = Confusion(len(labels)), []
    for i, frame in enumerate(frames):
        if i % every or frame.labels is None:
            continue
        camera = frame.camera.scaled(frame.labels.shape[1], frame.labels.shape[0])
        view = render(camera, frame.T_world_camera)
        confusion.add(table[own.to_index(frame.labels)], view.labels)
        if frame.depth is not None and frame.depth.shape == view.depth.shape:
            both = (frame.depth > 0) & (view.depth > 0)
            errors.append(np.abs(frame.depth - view.depth)[both])
    error = float(np.median(np.concatenate(errors))) if errors and sum(map(len, errors)) else None
    return confusion.scores(), error


def _score_mesh(path: Path, surface: Surface, labels: LabelSet, own: LabelSet, table: np.ndarray) -> SegmentationScores:
    columns, _ = read_ply(path)
    if "label" not in columns:
        raise DataError(f"{path} has no vertex property 'label': it is no labelled mesh")
    vertices = np.stack([columns[axis] for axis in "xyz"], axis=1)
    cloud = surface.cloud()
    found, _ = transfer_labels(cloud.vertices, cloud.labels, vertices, DISTANCE_LIMIT_M)
    confusion = Confusion(len(labels))
    confusion.add(table[own.to_index(columns["label"])], found)
    return confusion.scores()
