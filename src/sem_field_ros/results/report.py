"""report.json: a mapping run in numbers. Defines its keys, for demo and `sem-field map`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros import __version__
from sem_field_ros.atomic import write_json
from sem_field_ros.labels import LabelSet
from sem_field_ros.surface import Surface

UNLABELLED_NAME = "unlabelled"  # the key of points without a class in points_per_class


@dataclass(frozen=True)
class Scores:
    """Agreement with ground-truth labels: mean IoU and IoU over the classes present in the truth, pixel/point accuracy.

    counted  labelled pixels or points that were compared; those the map does not cover count as wrong
    """

    miou: float
    accuracy: float
    iou_per_class: Mapping[str, float]
    counted: int = 0


@dataclass(frozen=True)
class MapReport:
    """One run. fps: frames mapped per second of the run (offline) or the replay (over ROS); latency_ms is the
    time to map one frame offline, over ROS camera stamp to published cloud (image received to cloud, if the replay was
    not in real time).

    label_source      where the labels come from: "labels predicted by homes", "ground-truth labels"
    drops             frames not mapped, by cause            points_per_class  cloud points by class name
    latency_ms, stage_ms  {p50, p95} and by stage {p50, p95}, milliseconds
    scores_2d         the map rendered into the labelled views   scores_3d   against a labelled mesh
    """

    sequence: str
    segmenter: str
    label_set: str
    frames_in: int
    frames_mapped: int
    keyframes: int
    drops: Mapping[str, int]
    fps: float
    latency_ms: Mapping[str, float]
    cloud_points: int
    mesh_triangles: int
    points_per_class: Mapping[str, int]
    peak_rss_mb: float
    label_source: str = ""
    duration_s: float = 0.0
    stage_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    map_stats: Mapping[str, float] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    scores_2d: Scores | None = None
    scores_3d: Scores | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON content: the fields, `miou`, `accuracy` and `iou_per_class` on top if there were labels.

        The top-level scores are the 2-D ones; with only a labelled mesh, the 3-D ones. Absent scores have no key.
        """
        content = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "extra"}
        for name in ("scores_2d", "scores_3d"):
            scores = content.pop(name)
            if scores is not None:
                content[name] = dataclasses.asdict(scores)
        best = self.scores_2d or self.scores_3d
        if best is not None:
            content |= {"miou": best.miou, "accuracy": best.accuracy, "iou_per_class": dict(best.iou_per_class)}
        return {**content, **self.extra, "package_version": __version__}

    def write(self, path: str | Path) -> None:
        """Write as JSON, atomically. Raises OutputError."""
        write_json(path, self.to_dict())


def surface_counts(surface: Surface, labels: LabelSet) -> dict[str, Any]:
    """The report's `cloud_points`, `mesh_triangles` and `points_per_class` (classes that occur, most points first)."""
    points = surface.labels[surface.owned]
    names = (*labels.names, UNLABELLED_NAME)  # index -1 is the last
    counts = np.bincount(points.astype(np.int64) % len(names), minlength=len(names))
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    return {
        "cloud_points": len(points),
        "mesh_triangles": len(surface.faces),
        "points_per_class": {names[i]: int(counts[i]) for i in order},
    }
