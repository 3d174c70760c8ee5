"""Scores a semantic map: rendered into the labelled views (2-D) and against a labelled mesh (3-D)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sem_field_ros.evaluation.metrics import Confusion, SegmentationScores, transfer_labels
from sem_field_ros.evaluation.true_mesh import SeenPoints, TrueMesh, find_true_mesh
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.geometry.raycast import MeshRaycaster
from sem_field_ros.labels import LabelSet
from sem_field_ros.results.report import Scores
from sem_field_ros.scene import Renderable
from sem_field_ros.surface import Surface, known

DISTANCE_LIMIT_M = 0.1  # a mesh vertex farther from the map than this counts as not mapped
_ERRORS_PER_VIEW = 20_000  # enough for a median, and bounded


@dataclass(frozen=True)
class MapScores:
    """2-D scores, median absolute depth error of the rendered views (metres), and 3-D scores if there is a mesh."""

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


class MapTally:
    """Counts correct and wrong labels of a map over any number of views, meshes and scenes, then scores them.

    `labels` are the map's classes; those of the data are regrouped into them, and what has no counterpart there is
    not scored.
    """

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels
        self.views, self.mesh = Confusion(len(labels)), Confusion(len(labels))
        self._errors: list[np.ndarray] = []

    def add_view(self, frame: PosedFrame, source: LabelSet, scene: Renderable) -> None:
        """Score a scene's rendering against a frame's label image (ids of `source`) and depth, if it has them."""
        if frame.labels is None:
            return
        camera = frame.camera.scaled(frame.labels.shape[1], frame.labels.shape[0])
        view = scene.render(camera, frame.T_world_camera)
        labels, depth = known(view.labels), known(view.depth)
        self.views.add(true_index(frame.labels, source, self.labels), labels)
        if frame.depth is not None and frame.depth.shape == depth.shape:
            both = (frame.depth > 0) & (depth > 0)
            errors = np.abs(frame.depth - depth)[both]
            self._errors.append(errors[:: max(1, len(errors) // _ERRORS_PER_VIEW)])

    def add_mesh(self, truth: TrueMesh, seen: np.ndarray, source: LabelSet, surface: Surface) -> None:
        """Score the map's points against those vertices of the true mesh that are `seen` [V] (label ids of `source`).

        Each vertex takes the label of the map's nearest point within 10 cm; farther ones count as not mapped.
        """
        cloud = surface.cloud()
        found, _ = transfer_labels(cloud.vertices, cloud.labels, truth.vertices[seen], DISTANCE_LIMIT_M)
        self.mesh.add(true_index(truth.label_ids[seen], source, self.labels), found)

    def scores(self) -> MapScores:
        """Scores of everything added; 2-D or 3-D is None without labels."""
        views, mesh = self.views.scores(), self.mesh.scores()
        error = float(np.median(np.concatenate(self._errors))) if sum(map(len, self._errors)) else None
        return MapScores(views if views.samples else None, error, mesh if mesh.samples else None)


def true_index(label_ids: np.ndarray, source: LabelSet, labels: LabelSet) -> np.ndarray:
    """Label ids of `source` -> class indices of `labels`, int16, -1 where unlabelled or without a counterpart."""
    return np.append(source.regroup(labels), -1)[source.to_index(label_ids)].astype(np.int16)


def evaluate_map(
    surface: Surface, scene: Renderable, labels: LabelSet, sequence: SequenceReader, every: int = 1
) -> MapScores:
    """Score a map (classes `labels`) against a sequence's label images and the seen part of its labelled mesh.

    `every`: every N-th frame is rendered and scored.
    """
    source, tally = sequence.labels, MapTally(labels)
    if source is None:
        return tally.scores()
    truth = find_true_mesh(sequence)
    seen = SeenPoints(truth.vertices, MeshRaycaster(truth.vertices, truth.faces)) if truth else None
    for i, frame in enumerate(sequence):
        if seen:
            seen.observe(frame.camera, frame.T_world_camera)
        if i % every == 0:
            tally.add_view(frame, source, scene)
    if truth and seen:
        tally.add_mesh(truth, seen.seen, source, surface)
    return tally.scores()
