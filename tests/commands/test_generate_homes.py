"""`sem-field generate homes` and `sheet`: what is asked for, what is said, what comes out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from sem_field_ros.cli import main
from sem_field_ros.commands.generate import homes as generate_homes
from sem_field_synth.catalogue.catalogue import DEFAULT_SOURCE, JAR
from sem_field_synth.rendering import cycles_job

needs_homes = pytest.mark.skipif(not (DEFAULT_SOURCE / JAR).is_file(), reason="Debian's sweethome3d is not installed")


@pytest.mark.parametrize("wrong", [["--size", "320"], ["--size", "8x8"], ["--frames", "0"], ["--split", "training"]])
def test_wrong_flags_are_refused(wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "homes", "--out", str(tmp_path), *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_without_blender_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cycles_job, "cycles_missing", lambda: "no Blender: use --renderer raster")
    assert main(["generate", "homes", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].endswith("use --renderer raster")


def test_scenes_that_fail_are_named_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sem_field_synth.homes.run import HomeJob
    from sem_field_synth.rendering.home_writer import DrawSettings

    job = HomeJob("lost", tmp_path / "lost", partial(int, "x"), DrawSettings("raster"), {}, 1)
    monkeypatch.setattr(generate_homes, "_jobs", lambda args: [job])
    assert main(["generate", "homes", "--out", str(tmp_path), "--renderer", "raster", "--workers", "1"]) == 1
    output = capsys.readouterr().out
    assert "lost: left out: ValueError" in output
    assert "0 of 1 train scenes complete" in output


@needs_homes
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_jobs_are_told_apart_by_split(split: str, tmp_path: Path) -> None:
    args = SimpleNamespace(
        out=tmp_path, split=split, seed=0, frames=2, size=(64, 48), renderer="raster", samples=4, scenes=3, first=1,
        assets=None, bag=False,
    )  # fmt: skip
    jobs = generate_homes._jobs(args)  # type: ignore[arg-type]
    assert len({job.name for job in jobs}) == 3
    for job in jobs:
        assert job.folder == tmp_path / split / job.name
        assert job.meta["split"] == split and f"--split {split}" in job.meta["generator"]
    more = generate_homes._jobs(SimpleNamespace(**{**vars(args), "first": 0, "scenes": 4}))  # type: ignore[arg-type]
    assert [job.name for job in more[1:]] == [job.name for job in jobs], "adding to a run keeps what it has"


@needs_homes
def test_a_home_and_a_sheet_of_it(tmp_path: Path) -> None:
    command = ["generate", "homes", "--out", str(tmp_path / "homes"), "--split", "val"]
    assert main([*command, "--frames", "2", "--size", "64x48", "--renderer", "raster", "--workers", "1"]) == 0
    (folder,) = (tmp_path / "homes" / "val").iterdir()
    assert {"color", "depth", "depth_clean", "instance", "label", "label_nyu40", "pose"} <= {
        path.name for path in folder.iterdir()
    }
    assert "sweethome3d" in (folder / "ATTRIBUTION.txt").read_text()
    assert main(["generate", "sheet", str(folder), "--out", str(tmp_path / "sheet.png"), "--width", "64"]) == 0
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (16 + 2 * 48, 3 * 64, 3)


def test_a_sheet_needs_a_picture_s_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "sheet", str(tmp_path), "--out", str(tmp_path / "sheet.pdf")]) == 2
    assert ".png or .jpg" in capsys.readouterr().err
