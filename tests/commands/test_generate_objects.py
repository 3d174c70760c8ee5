"""`sem-field generate objects` from the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import psutil
import pytest

from sem_field_ros.cli import main

SMALL = ["--sources", "parametric", "--train", "1", "--val", "0", "--test", "1", "--workers", "1"]
VIEWS = ["--views", "2", "--test-views", "2", "--size", "32", "--points", "100"]


def test_objects_are_drawn_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", "objects", "--out", str(tmp_path), "--classes", "chair", *SMALL, *VIEWS]
    assert main(command) == 0
    assert "2 of 2 objects complete, 2 drawn now" in capsys.readouterr().out
    assert main(command) == 0
    assert "2 of 2 objects complete, 0 drawn now" in capsys.readouterr().out
    assert (tmp_path / "chair_test.txt").read_text() == "parametric_0700000\n"


def test_several_processes_draw_the_same(tmp_path: Path) -> None:
    command = ["generate", "objects", "--classes", "chair", *SMALL, *VIEWS, "--out"]
    assert main([*command, str(tmp_path / "one")]) == 0
    assert main([*command, str(tmp_path / "two"), "--workers", "2"]) == 0
    names = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(names) == 2 * (2 * 5 + 3) + 4
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_killed_run_leaves_no_process_and_is_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", "objects", "--classes", "chair", "--sources", "parametric", "--train", "14", "--val", "0"]
    command += ["--test", "0", *VIEWS, "--out", str(tmp_path)]
    run = subprocess.Popen([sys.executable, "-m", "sem_field_ros.cli", *command, "--workers", "2"])
    _wait_for(lambda: any(tmp_path.glob("chair/parametric*")))
    workers = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    assert not (tmp_path / "chair_training.txt").exists()
    done = len(list(tmp_path.glob("chair/parametric*")))
    assert main([*command, "--workers", "1"]) == 0
    assert f"14 of 14 objects complete, {14 - done} drawn now" in capsys.readouterr().out
    assert list(tmp_path.glob("chair/.*")) == []


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_sheet_is_a_picture_of_all(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    command = ["generate", "objects", "--sheet", str(sheet), *SMALL, "--size", "32", "--columns", "1"]
    assert main([*command, "--classes", "table"]) == 0
    assert cv2.imread(str(sheet)).shape == (2 * 32, 4 * 32, 3)


@pytest.mark.parametrize(
    "extra, message",
    [
        (["--lowest", "90"], "--lowest must lie"),
        (["--train", "0", "--test", "0"], "no object asked for"),
        (["--sources", "psb"], "--psb DIR"),
        (["--sources", "catalogue", "--assets", "nowhere"], "apt install sweethome3d"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    assert main(["generate", "objects", "--out", str(tmp_path), *SMALL, *extra]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
