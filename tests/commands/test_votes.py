"""`sem-field train fusion` and `evaluate votes` on a tiny room, from the flags to weights and tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sem_field_ros import cli
from sem_field_ros.fusion.learned import load_fusion
from tests.tiny_room import tiny_room

SMALL = ["--max-voxels", "150", "--max-views", "4", "--voxel-size-m", "0.1"]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_room(tmp_path_factory.mktemp("votes"), frames=6, width=160, seed=0)


@pytest.fixture(scope="module")
def run(room: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("voter") / "run"
    loop = ["--steps", "3", "--batch", "2", "--rows", "64", "--warmup", "1", "--device", "cpu"]
    command = ["train", "fusion", "--training", str(room), "--validation", str(room), "--out", str(out)]
    assert cli.main([*command, "--copies", "1", *SMALL, *loop]) == 0
    return out


def test_a_voter_is_trained_and_knows_whose_votes_it_reads(run: Path, room: Path) -> None:
    fusion, card = load_fusion(run / "best.safetensors")
    assert card.output["segmenter"] == "homes" and fusion.encoder == card.output["encoder"] != ""
    assert card.data["training"] == {"scenes": ["tiny", "tiny.copy0"], "voxels": 300}
    assert card.data["validation"] == {"scenes": ["tiny"], "voxels": 150}
    assert {"miou", "bayesian", "majority", "last_wins", "confidence"} <= card.scores["validation"].keys()
    files = sorted((run / "votes" / "homes").iterdir())
    assert [file.name.split(".")[1] for file in files] == ["copy0", "depth"]
    assert files[0].read_bytes() != files[1].read_bytes()


def test_a_residual_vote_learns_from_several_segmenters(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "residual"
    loop = ["--steps", "2", "--batch", "2", "--rows", "32", "--warmup", "1", "--device", "cpu", "--copies", "0"]
    command = ["train", "fusion", "--training", str(room), "--validation", str(room), "--out", str(out), *SMALL, *loop]
    several = ["--segmenter", "noisy:0.2", "--also", "noisy:0.2+noisy:0.4"]
    assert cli.main([*command, *several]) == 2
    assert "linear learns from one segmenter, not from --also: use residual" in capsys.readouterr().err
    assert cli.main([*command, *several, "--pooling", "residual"]) == 0
    assert sorted(folder.name for folder in (out / "votes").iterdir()) == ["noisy_0_2", "noisy_0_2_noisy_0_4"]
    card = load_fusion(out / "last.safetensors")[1]
    assert card.kind == "residual_vote" and card.output["also"] == ["noisy:0.2+noisy:0.4"]
    assert len(card.data["training"]["scenes"]) == 2
    scored = [
        "evaluate",
        "votes",
        str(room),
        "--weights",
        str(out / "last.safetensors"),
        *SMALL,
        "--segmenter",
        several[3],
    ]
    assert cli.main([*scored, "--out", str(tmp_path / "votes.json")]) == 0


def test_weights_and_hand_made_fusions_side_by_side(
    run: Path, room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "votes.json"
    command = ["evaluate", "votes", str(room), "--weights", str(run / "best.safetensors"), *SMALL]
    assert cli.main([*command, "--corrupt-fraction", "0", "0.5", "--seeds", "2", "--out", str(out)]) == 0
    rows = {(r["benchmark"], r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    clean, corrupt = "tiny/homes/scannet20", "tiny/homes/scannet20, 50% corrupt"
    assert {method for _, method, _ in rows} == {
        "run",
        "bayesian",
        "majority",
        "last_wins",
        "confidence",
        "consistency",
    }
    assert rows[corrupt, "bayesian", "accuracy_3d"] < rows[clean, "bayesian", "accuracy_3d"]
    assert clean in capsys.readouterr().out


def test_a_segmenter_without_features_votes_without(run: Path, room: Path, tmp_path: Path) -> None:
    out = tmp_path / "votes.json"
    command = ["evaluate", "votes", str(room), "--weights", str(run / "best.safetensors"), *SMALL]
    assert cli.main([*command, "--segmenter", "noisy:0.2", "--out", str(out)]) == 0
    rows = {(r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    assert rows["run", "accuracy_3d"] > 0.7


def test_weights_that_would_share_a_name_are_refused(run: Path, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [str(run / "best.safetensors"), str(run / "last.safetensors")]
    assert cli.main(["evaluate", "votes", str(room), "--weights", *both, *SMALL]) == 2
    assert "could not be told apart" in capsys.readouterr().err


def test_unknown_segmenters_and_sequences_are_one_line(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "votes", str(room), "--segmenter", "nobody"]) == 2
    assert "'nobody' is unknown" in capsys.readouterr().err
    assert cli.main(["evaluate", "votes", "/nowhere"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_maps_by_two_fusions_in_one_picture(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sub" / "sides.png"
    command = ["evaluate", "picture", str(room), "--voxel-size-m", "0.1", "--min-weight", "1", "--out", str(out)]
    assert cli.main([*command, "--rows", "2", "--width", "64", "--fusions", "bayesian", "last_wins"]) == 0
    assert out.read_bytes()[:4] == b"\x89PNG"
    assert cli.main([*command, "--rows", "1", "--width", "64", "--fusions", "bayesian:0", "bayesian"]) == 0
    for fusions, problem in (
        (["bayesian"], "at least two"),
        (["bayes", "gnesf"], "fusion"),
        (["gnesf:x", "gnesf"], "'x'"),
    ):
        assert cli.main([*command, "--fusions", *fusions]) == 2
        assert problem in capsys.readouterr().err
