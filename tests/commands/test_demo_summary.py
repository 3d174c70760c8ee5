"""The print-out of a demo: where labels come from, how they score, what to do about lost frames."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from sem_field_ros.commands.child_processes import StatusLine
from sem_field_ros.commands.demo_summary import drop_advice, summarize

REPORT = {
    "frames_in": 150,
    "frames_mapped": 23,
    "drops": {"overload": 127},
    "fps": 4.6,
    "latency_ms": {"p50": 300.0, "p95": 900.0},
    "peak_rss_mb": 612.3,
    "cloud_points": 1000,
    "mesh_triangles": 1900,
    "points_per_class": {"wall": 700, "floor": 300},
    "label_source": "labels predicted by homes",
    "miou": 0.3912,
    "accuracy": 0.7063,
    "notes": ["the mapper was not idle at the end"],
}


def printed(tmp_path: Path, report: dict) -> list[str]:
    (tmp_path / "report.json").write_text(json.dumps(report))
    stream = io.StringIO()
    summarize(tmp_path, StatusLine(stream))
    return stream.getvalue().splitlines()


def test_the_print_out_in_plain_lines(tmp_path: Path) -> None:
    assert printed(tmp_path, REPORT) == [
        "frames   23 of 150 mapped, dropped: 127 overload",
        f"         {drop_advice({'overload': 127})}",
        "speed    4.6 frames/s, camera to cloud 300 ms (p95 900 ms), mapper memory 612 MB",
        "map      1,000 points, 1,900 triangles",
        "classes  wall 70.0 %, floor 30.0 %",
        "labels   predicted by homes",
        "score    mIoU against the labels of the sequence 0.391, accuracy 0.706",
        "note     the mapper was not idle at the end",
        *(f"  {tmp_path / name}" for name in ("semantic_cloud.ply", "mesh.ply", "preview.png", "report.json")),
    ]


def test_without_drops_and_labels(tmp_path: Path) -> None:
    unscored = {key: value for key, value in REPORT.items() if key not in ("miou", "accuracy", "notes")}
    lines = printed(tmp_path, unscored | {"drops": {}, "label_source": "ground-truth labels"})
    assert lines[0] == "frames   23 of 150 mapped, dropped: none" and lines[1].startswith("speed")
    assert "labels   ground-truth labels" in lines and not any(line.startswith("score") for line in lines)


@pytest.mark.parametrize("cause", ["overload", "not_received", "unpaired_depth"])
def test_a_slow_machine_is_told_what_helps(cause: str) -> None:
    advice = drop_advice({cause: 3, "bad_pose": 1})
    assert all(flag in advice for flag in ("--rate 0.5", "--pace feedback", "--voxel-size-m 0.1"))


def test_other_causes_are_looked_up() -> None:
    assert "docs/ros_api.md" in drop_advice({"bad_pose": 1})
    assert drop_advice({}) == ""
