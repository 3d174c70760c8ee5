"""`sem-field view` of files: a picture without ROS, and mistakes in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.cli import main
from sem_field_ros.geometry.ply import write_ply
from sem_field_ros.viewer.browser import find_browser

# as on a machine without ROS
_NO_ROS = "import sys; sys.modules['rclpy'] = None; from sem_field_ros.cli import main; sys.exit(main(sys.argv[1:]))"


def write_square(path: Path) -> None:
    """A square of 2 x 2 m: labelled 3 on one half, 5 on the other."""
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, 2, 60), np.linspace(0, 2, 60)))
    left = x < 1
    color = np.where(left[:, None], [[200, 60, 60]], [[60, 60, 200]]).astype(np.uint8)
    columns = {"x": x, "y": y, "z": 0 * x} | {n: color[:, i] for i, n in enumerate(("red", "green", "blue"))}
    columns |= {"label": np.where(left, 3, 5).astype(np.int32)}
    write_ply(path, columns, np.zeros((0, 3), int), ["class 3 mug", "class 5 tray"])


@pytest.mark.skipif(find_browser() is None, reason="no Chromium: `apt install chromium` to test the viewer")
def test_a_picture_of_a_ply_file_without_ros(tmp_path: Path) -> None:
    write_square(tmp_path / "square.ply")
    arguments = ["view", "--ply", str(tmp_path / "square.ply"), "--picture", str(tmp_path / "p.png"), "--port", "18190"]
    arguments += ["--picture-after-s", "1"]
    done = subprocess.run([sys.executable, "-c", _NO_ROS, *arguments], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert "open http://127.0.0.1:" in done.stdout and "saved" in done.stdout
    image = cv2.imread(str(tmp_path / "p.png"))[..., ::-1].astype(int)
    for color in ((200, 60, 60), (60, 60, 200)):
        assert (np.abs(image - color).max(axis=-1) <= 6).sum() > 10_000


def test_mistakes_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--ply", str(tmp_path / "none.ply")],
        ["--map", str(tmp_path / "none")],
        ["--ply", str(tmp_path / "none.ply"), "--label-set", "klingon"],
        ["--ply", "x.ply", "--refresh-rate-hz", "1000"],
    ):
        assert main(["view", *arguments]) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith("sem-field") and "\n" not in error
