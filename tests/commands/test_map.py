"""`sem-field map` on the bundled sample: the files, the report, the scores, and mistakes told in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros import cli
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.mapping.files.map_file import load_map
from sem_field_ros.mapping.semantic_map import SemanticMap

ROOM = Path(__file__).resolve().parents[2] / "samples" / "room"
FILES = {"semantic_cloud.ply", "mesh.ply", "preview.png", "report.json", "map.semmap.json"}


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole sample mapped with its own labels, once for all tests here."""
    out = tmp_path_factory.mktemp("mapped")
    assert cli.main(["map", str(ROOM), "--out", str(out), "--glb"]) == 0
    return out


def report_of(directory: Path) -> dict:
    return json.loads((directory / "report.json").read_text(encoding="utf-8"))


def test_the_files_are_there_and_agree_with_the_report(mapped: Path) -> None:
    report = report_of(mapped)
    names = {path.name for path in mapped.iterdir()}
    assert names >= FILES | {"mesh.glb"} and not [name for name in names if name.endswith(".tmp")]
    cloud, _ = read_ply(mapped / "semantic_cloud.ply")
    _, faces = read_ply(mapped / "mesh.ply")
    assert len(cloud["x"]) == report["cloud_points"] == sum(report["points_per_class"].values())
    assert len(faces) == report["mesh_triangles"]
    preview = cv2.imread(str(mapped / "preview.png"))
    assert preview is not None and preview.shape[1] > 800 and preview.std() > 10
    frames = len(list((ROOM / "color").iterdir()))
    assert report["frames_in"] == report["frames_mapped"] == frames and report["drops"] == {}
    assert report["fps"] > 0 and 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"]
    assert 100 < report["peak_rss_mb"] < 4000 and report["segmenter"] == "external"


def test_every_key_of_the_report_is_documented(mapped: Path) -> None:
    text = (ROOM.parents[1] / "docs" / "map_files.md").read_text(encoding="utf-8")
    table = text[text.index("# report.json") :]
    documented = {
        key for row in table.splitlines() if row.startswith("|") for key in row.split("|")[1].split("`")[1::2]
    }
    assert set(report_of(mapped)) <= documented


def test_ground_truth_labels_give_good_scores_over_the_classes_present(mapped: Path) -> None:
    report = report_of(mapped)
    assert report["miou"] > 0.7 and report["accuracy"] > 0.8
    assert report["scores_3d"]["miou"] > 0.65
    assert report["miou"] == pytest.approx(np.mean(list(report["iou_per_class"].values())), abs=1e-3)
    assert {"wall", "floor", "chair"} <= set(report["iou_per_class"])


def test_the_saved_map_is_the_exported_one(mapped: Path) -> None:
    restored = SemanticMap.from_state(load_map(mapped, "map"))
    cloud, _ = read_ply(mapped / "semantic_cloud.ply")
    surface = restored.surface().cloud()
    assert len(surface) == pytest.approx(len(cloud["x"]), rel=0.01)
    counts = [np.bincount(ids, minlength=256) for ids in (cloud["label"], restored.labels.to_id(surface.labels))]
    assert np.abs(counts[0] - counts[1]).sum() < 0.02 * len(surface)


def test_flags_reach_the_map_and_a_selection_is_scored_on_itself(tmp_path: Path) -> None:
    flags = ["--every", "4", "--max-frames", "3", "--voxel-size-m", "0.08", "--fusion", "majority", "--name", "coarse"]
    flags += ["--min-weight", "1"]  # three frames see most surfaces once
    assert cli.main(["map", str(ROOM), "--out", str(tmp_path), *flags]) == 0
    report = report_of(tmp_path)
    assert (report["frames_in"], report["config"]["voxel_size_m"], report["config"]["fusion"]) == (3, 0.08, "majority")
    assert report["map_file"] == "coarse.semmap.json" and (tmp_path / "coarse.semmap.json").is_file()
    assert load_map(tmp_path, "coarse").header["config"]["voxel_size_m"] == 0.08
    assert report["coverage_2d"] > 0.5  # scored on the three frames it has seen, not on all forty


def test_without_a_segmenter_the_map_is_geometry_and_has_no_scores(tmp_path: Path) -> None:
    assert cli.main(["map", str(ROOM), "--out", str(tmp_path), "--segmenter", "none", "--max-frames", "3"]) == 0
    report = report_of(tmp_path)
    assert "miou" not in report and report["segmenter"] == "none"
    assert set(report["points_per_class"]) == {"unlabelled"}


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """The sample's first six frames, to be damaged."""
    for folder in ("color", "depth", "pose", "label"):
        (tmp_path / "sequence" / folder).mkdir(parents=True)
        for path in sorted((ROOM / folder).iterdir())[:6]:
            shutil.copy(path, tmp_path / "sequence" / folder)
    for name in ("intrinsics.txt", "meta.json"):
        shutil.copy(ROOM / name, tmp_path / "sequence")
    return tmp_path / "sequence"


def test_damaged_frames_are_dropped_and_counted(sequence: Path, tmp_path: Path) -> None:
    colors, poses = sorted((sequence / "color").iterdir()), sorted((sequence / "pose").iterdir())
    colors[1].write_bytes(b"no image")
    poses[2].write_text("nan nan nan nan\n" * 4)
    poses[3].write_text("1 2 3")
    poses[5].unlink()
    assert cli.main(["map", str(sequence), "--out", str(tmp_path / "out"), "--min-weight", "1"]) == 0
    report = report_of(tmp_path / "out")
    assert (report["frames_in"], report["frames_mapped"]) == (5, 2)
    assert report["drops"] == {"unreadable": 2, "bad_pose": 1}
    assert report["left_out_by_reader"] == {"missing_pose": 1}
    assert report["miou"] > 0.3


def test_a_bag_gives_the_same_map_as_the_folder_it_was_made_from(sequence: Path, tmp_path: Path) -> None:
    bag = tmp_path / "six.mcap"
    assert cli.main(["bag", str(sequence), "--out", str(bag)]) == 0
    for source, out in ((sequence, "folder"), (bag, "bag")):
        assert cli.main(["map", str(source), "--out", str(tmp_path / out)]) == 0
    reports = [report_of(tmp_path / out) for out in ("folder", "bag")]
    for key in ("frames_mapped", "keyframes", "cloud_points", "mesh_triangles", "points_per_class", "miou"):
        assert reports[0][key] == reports[1][key]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["no/such/folder"], "no/such/folder does not exist"),
        ([str(ROOM / "color")], "is not a sequence folder"),
        ([str(ROOM), "--segmenter", "magic"], "'magic' is unknown; choose one of external"),
        ([str(ROOM), "--label-set", "nothing"], "label set 'nothing' not found"),
        ([str(ROOM), "--voxel-size-m", "0"], "--voxel-size-m: must be 0.002 to 1"),
        ([str(ROOM), "--depth-min-m", "5"], "depth_min_m (5.0) must be below"),
        ([str(ROOM), "--name", "../up"], "map name '../up' is not allowed"),
    ],
)
def test_mistakes_are_one_line(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["map", *flags, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_out_folder_that_cannot_be_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["map", str(ROOM), "--out", str(tmp_path / "file" / "out")]) == 2
    error = capsys.readouterr().err
    assert "cannot write in the folder" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "flags", [["--every", "0"], ["--max-frames", "-1"], ["--fusion", "vote"], ["--max-blocks", "x"]]
)
def test_bad_flags_are_one_line(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["map", str(ROOM), "--out", str(tmp_path), *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert flags[0] in line and flags[1] in line
