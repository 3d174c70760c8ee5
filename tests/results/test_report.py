"""report.json: keys, values known by hand, atomic writing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.errors import OutputError
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.results.outputs import map_title
from sem_field_ros.results.report import MapReport, Scores, surface_counts
from sem_field_ros.surface import Surface

LABELS = LabelSet("two", (LabelClass(3, "floor", (1, 2, 3)), LabelClass(7, "chair", (4, 5, 6))))
REPORT = MapReport(
    sequence="room",
    segmenter="external",
    label_set="two",
    frames_in=5,
    frames_mapped=4,
    keyframes=2,
    drops={"bad_pose": 1},
    fps=10.0,
    latency_ms={"p50": 1.0, "p95": 2.0},
    cloud_points=3,
    mesh_triangles=1,
    points_per_class={"chair": 2, "unlabelled": 1},
    peak_rss_mb=100.0,
)
COUNTS = {"frames_in", "frames_mapped", "drops", "cloud_points", "mesh_triangles", "points_per_class"}
KEYS = COUNTS | {"fps", "latency_ms", "peak_rss_mb"}  # what every report has


def test_the_required_keys_are_there_and_scores_only_with_labels(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    REPORT.write(path)
    content = json.loads(path.read_text())
    assert set(content) >= KEYS and "miou" not in content and "scores_3d" not in content
    scored = dataclasses.replace(REPORT, scores_2d=Scores(0.5, 0.75, {"chair": 0.5}, 100), extra={"map_file": "a"})
    content = scored.to_dict()
    assert (content["miou"], content["accuracy"], content["iou_per_class"]) == (0.5, 0.75, {"chair": 0.5})
    assert content["scores_2d"]["counted"] == 100 and content["map_file"] == "a"


def test_not_a_number_becomes_null(tmp_path: Path) -> None:
    dataclasses.replace(REPORT, fps=float("nan"), drops={"x": np.int64(2)}).write(tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["fps"] is None and content["drops"] == {"x": 2}


def test_surface_counts_counts_owned_points_only() -> None:
    surface = Surface(
        np.zeros((4, 3), np.float32),
        np.zeros((4, 3), np.float32),
        np.zeros((4, 3), np.uint8),
        np.array([1, 1, -1, 0], np.int16),
        np.ones(4, np.float32),
        np.array([[0, 1, 2]], np.int32),
        np.array([True, True, True, False]),
    )
    assert surface_counts(surface, LABELS) == {
        "cloud_points": 3,
        "mesh_triangles": 1,
        "points_per_class": {"chair": 2, "unlabelled": 1},
    }
    assert surface_counts(Surface.empty(), LABELS)["points_per_class"] == {}


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("x")
    with pytest.raises(OutputError, match="cannot write .*report.json"):
        REPORT.write(blocker / "report.json")


def test_titles_name_the_sequence_and_the_source_of_the_labels() -> None:
    assert map_title("room", "labels predicted by homes") == "Semantic map of room, labels predicted by homes"
    assert map_title("", "") == "Semantic map"
