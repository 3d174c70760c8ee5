"""`sem-field generate truth`, and maps of all its frames scored on the labelled ones alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sem_field_ros import cli
from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.evaluation.results import IMAGES

FRAMES = 8
SMALL = ["--voxel-size-m", "0.1", "--min-weight", "1", "--fusion", "bayesian"]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rooms") / "tiny"
    arguments = ["--frames", str(FRAMES), "--width", "128", "--fast", "--seed", "5"]
    assert cli.main(["generate", "room", "--out", str(path), *arguments]) == 0
    return path


@pytest.fixture
def polygons(tmp_path: Path) -> Path:
    """Half of two frames is wall."""
    wall = {"class": "wall", "points": [[0, 0], [63, 0], [63, 95], [0, 95]]}
    content = {"label_set": "scannet20", "image_size": [128, 96], "frames": {"000002": [wall], "000005": [wall]}}
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _generate(room: Path, polygons: Path, out: Path, *more: str) -> FolderSequence:
    arguments = ["--polygons", str(polygons), "--sequence", str(room), "--out", str(out), *more]
    assert cli.main(["generate", "truth", *arguments]) == 0
    return FolderSequence(out)


def test_all_frames_or_the_labelled_ones(
    room: Path, polygons: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = _generate(room, polygons, tmp_path / "all", "--overlays", str(tmp_path / "overlays"))
    assert "8 frames, 2 of them labelled (50% of pixels)" in capsys.readouterr().out
    assert [frame.labels is not None for frame in everything] == [i in (2, 5) for i in range(FRAMES)]
    assert sorted(f.name for f in (tmp_path / "overlays").iterdir()) == ["000002.png", "000005.png"]
    few = _generate(room, polygons, tmp_path / "few", "--labelled-only")
    assert [frame.name for frame in few] == ["000002", "000005"]


def test_maps_of_all_frames_are_scored_on_the_labelled_ones(room: Path, polygons: Path, tmp_path: Path) -> None:
    sequence = _generate(room, polygons, tmp_path / "kitchen")
    out = tmp_path / "rows.json"
    arguments = ["evaluate", "sequences", str(sequence.path), "--segmenter", "homes", *SMALL, "--out", str(out)]
    assert cli.main(arguments) == 0
    rows = {(r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    assert {IMAGES, "bayesian"} <= {method for method, _ in rows}
    # nothing but wall is labelled
    assert {metric for _, metric in rows if metric.startswith("iou_2d/")} == {"iou_2d/wall"}
    # all frames are mapped, those without labels too: the surface is that of the whole recording
    whole = tmp_path / "whole.json"
    arguments = ["evaluate", "sequences", str(room), "--segmenter", "none", *SMALL, "--out", str(whole)]
    assert cli.main(arguments) == 0
    surface = {(r["method"], r["metric"]): r["value"] for r in json.loads(whole.read_text())}
    key = ("surface at 10 cm", "depth_coverage")
    assert rows[key] == surface[key]
