"""`sem-field generate room`: the folder reads back, the same command makes the same bytes, mistakes are one line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sem_field_ros.cli import main
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.resources import resource_path

SMALL = ["--frames", "3", "--width", "64", "--fast", "--seed", "4"]


def _digest(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    lines = [f"{p.relative_to(folder)} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files]
    return "\n".join(lines)


def test_room_reads_back_and_is_reproducible(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(["generate", "room", "--out", str(tmp_path / name), *SMALL, "--rate-hz", "5"]) == 0
    assert _digest(tmp_path / "a") == _digest(tmp_path / "b")
    sequence = open_sequence(tmp_path / "a")
    frames = list(sequence)
    assert sequence.labels is not None and sequence.labels.name == "scannet20" and len(frames) == 3
    assert frames[0].color.shape == (48, 64, 3) and frames[1].stamp_ns - frames[0].stamp_ns == 200_000_000
    assert (tmp_path / "a" / "mesh_labels.ply").is_file()
    assert json.loads((tmp_path / "a" / "meta.json").read_text())["generator"].endswith("--width 64 --rate-hz 5 --fast")


def test_an_existing_sequence_is_not_mixed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "room", "--out", str(tmp_path), *SMALL]) == 0
    assert main(["generate", "room", "--out", str(tmp_path), *SMALL]) == 2
    assert "already holds a sequence" in capsys.readouterr().err


@pytest.mark.parametrize("flag", [["--frames", "0"], ["--width", "8"], ["--rate-hz", "0"]])
def test_impossible_sizes_are_refused(tmp_path: Path, flag: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "room", "--out", str(tmp_path / "x"), *flag]) == 2
    assert flag[0] in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_bundled_sample_is_what_its_readme_says() -> None:
    room = resource_path("samples/room")
    assert len(open_sequence(room)) == 40
    assert sum(p.stat().st_size for p in room.rglob("*") if p.is_file()) < 3_000_000
    assert json.loads((room / "meta.json").read_text())["generator"].startswith("sem-field generate room --seed 7 ")
