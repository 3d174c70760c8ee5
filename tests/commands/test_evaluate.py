"""`sem-field evaluate`: tables, rows and one-line mistakes, on a small room of our own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sem_field_ros import cli
from sem_field_ros.evaluation.results import IMAGES
from sem_field_ros.fusion.registry import FUSIONS
from tests.tiny_room import tiny_room

SMALL = ["--voxel-size-m", "0.1", "--min-weight", "1"]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_room(tmp_path_factory.mktemp("rooms"), frames=8, width=128)


def _rows(path: Path) -> dict[tuple[str, str, str], float]:
    return {(r["benchmark"], r["method"], r["metric"]): r["value"] for r in json.loads(path.read_text())}


def test_sequences_with_two_segmenters(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows.json"
    names = ["--segmenter", "external", "--segmenter", "noisy:0.4"]
    assert cli.main(["evaluate", "sequences", str(room), str(room), *names, *SMALL, "--out", str(out)]) == 0
    rows, printed = _rows(out), capsys.readouterr().out
    true, noisy = "tiny/external/scannet20", "tiny/noisy:0.4/scannet20"
    assert {method for benchmark, method, _ in rows if benchmark == noisy} == {IMAGES, *FUSIONS}
    assert rows[true, IMAGES, "miou_2d"] > 0.95 > rows[noisy, IMAGES, "miou_2d"]
    assert rows[true, "bayesian", "accuracy_3d"] > 0.5
    assert rows["tiny", "surface at 10 cm", "chamfer_l1_m"] < 0.2
    assert len([key for key in rows if key[2] == "chamfer_l1_m"]) == 1  # the same surface for both
    assert true in printed and noisy in printed and "majority" in printed


def test_a_bag_scores_as_its_sequence_does(room: Path, tmp_path: Path) -> None:
    bag, out, beside = tmp_path / "tiny.mcap", tmp_path / "bag.json", tmp_path / "folder.json"
    assert cli.main(["bag", str(room), "--out", str(bag)]) == 0
    common = ["--fusion", "bayesian", "--benchmark", "b", *SMALL]
    mesh = ["--mesh", str(room / "mesh_labels.ply")]
    assert cli.main(["evaluate", "bag", str(bag), *mesh, *common, "--out", str(out)]) == 0
    assert cli.main(["evaluate", "sequences", str(room), *common, "--out", str(beside)]) == 0
    a, b = _rows(out), _rows(beside)
    assert a.keys() == b.keys() and ("b/external/scannet20", "bayesian", "miou_3d") in a
    exact = {key for key in a if key[2].startswith("iou_2d") or "_3d" in key[2]}
    assert {key: a[key] for key in exact} == pytest.approx({key: b[key] for key in exact}, abs=0.02)


def test_every_shipped_model_is_run(room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sem_field_ros.commands.evaluate import maps as evaluate

    assert evaluate.SHIPPED == ("ade20k", "ade20k_deeplab", "homes", "pascal")
    assert evaluate.DEFAULT_SEGMENTER == "homes+ade20k"
    monkeypatch.setattr(evaluate, "SHIPPED", ())
    monkeypatch.setattr(evaluate, "DEFAULT_SEGMENTER", "noisy:0.1+noisy:0.3")
    out = tmp_path / "eval.json"
    assert cli.main(["evaluate", "models", str(room), "--voxel-size-m", "0.1", "--out", str(out)]) == 0
    rows = _rows(out)
    assert ("mini/external/scannet20", "majority", "miou_3d") in rows
    assert ("mini/noisy:0.1+noisy:0.3/scannet20", "consistency", "miou_3d") in rows


def test_the_mini_benchmark_is_all_test_rooms_small_with_labels_and_meshes() -> None:
    from sem_field_ros.commands.evaluate import maps as evaluate
    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.evaluation.true_mesh import find_true_mesh

    rooms = evaluate._mini_benchmark()
    assert [room.name.split("_")[1] for room in rooms] == [*["3BedroomApartment"] * 5, "Studio"]  # both test homes
    assert sum(file.stat().st_size for room in rooms for file in room.rglob("*") if file.is_file()) < 10e6
    classes: set[int] = set()
    for room in rooms:
        sequence = open_sequence(room)
        frame = next(iter(sequence))
        assert len(sequence) == 20 and frame.labels is not None and frame.color.shape == (240, 320, 3)
        truth = find_true_mesh(sequence)
        assert truth is not None and len(truth.faces) > 1000 and (room / "ATTRIBUTION.txt").stat().st_size > 100
        classes |= set(truth.label_ids.tolist()) - {255}
    assert len(classes) >= 10


def test_geometry_alone_without_labels(room: Path, tmp_path: Path) -> None:
    bare, out = tmp_path / "bare", tmp_path / "rows.json"
    shutil.copytree(room, bare)
    shutil.rmtree(bare / "label")
    (bare / "mesh_labels.ply").unlink()
    assert cli.main(["evaluate", "sequences", str(bare), *SMALL, "--max-frames", "3", "--out", str(out)]) == 0
    assert {key[:2] for key in _rows(out)} == {("bare", "surface at 10 cm")}


def test_mistakes_are_told_in_one_line(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["bag", str(room)], "is not a bag"),
        (["sequences", str(tmp_path / "nowhere")], "does not exist"),
        (["sequences", str(room), "--segmenter", "nonsense"], "unknown"),
        (["sequences", str(room), "--mesh", str(tmp_path / "no.ply")], "is not a file"),
        (["sequences", str(room), "--voxel-size-m", "7"], "must be 0.002 to 1"),
    ):
        assert cli.main(["evaluate", *arguments]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert message in lines[-1] and lines[-1].startswith("sem-field") and len(lines) == 1
    other = tmp_path / "other"
    shutil.copytree(room, other)
    (other / "meta.json").write_text('{"label_set": "nyu40"}')
    assert cli.main(["evaluate", "sequences", str(room), str(other)]) == 2
    assert "label sets nyu40, scannet20" in capsys.readouterr().err
