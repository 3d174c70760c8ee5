"""`sem-field view` of files: a picture without ROS, and mistakes in one line."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.cli import main
from sem_field_ros.geometry.axes import upright
from sem_field_ros.geometry.ply import read_ply, write_ply
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState, save_map
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.viewer.browser import Browser, find_browser
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities
from tests.tiny_room import tiny_room
from tests.viewer.pictures import click_color, close_notices, pixels_of, wait_for_color

ROOM = Path(__file__).resolve().parents[2] / "samples" / "room" / "mesh_labels.ply"
PATH_COLOR = (255, 170, 60)
needs_browser = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium: `apt install chromium` to test the viewer"
)

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


@needs_browser
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


@contextmanager
def viewing(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`sem-field view` with a free port as a process that ends with the block; gives it and the page's address."""
    command = [sys.executable, "-c", _NO_ROS, "view", "--port", "18190", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "the viewer ended"
            found = re.search(r"http://\S+/", line)
        yield process, found.group()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def save_wall(directory: Path) -> None:
    """A map of a wall, left and right, from three keyframes, the last two near it. The world's y points down."""
    semantic_map = SemanticMap(MapConfig(min_weight=1.0), LABELS)
    for i, (x, z) in enumerate([(0.0, 0.0), (-0.4, 1.0), (0.4, 1.0)]):
        frame = wall_frame(x, z, stamp_ns=i)
        semantic_map.integrate(frame)
        semantic_map.vote(frame, wall_probabilities(frame))
    state = semantic_map.state()
    save_map(directory, "wall", MapState(state.arrays, {**state.header, "frame_id": "odom"}))


@needs_browser
def test_a_saved_map_shows_its_camera_path_and_a_click_its_probabilities(tmp_path: Path) -> None:
    save_wall(tmp_path)
    with viewing("--map", str(tmp_path / "wall"), "--show", "points") as (_, url), Browser(800, 500) as browser:
        browser.open(url)
        browser.wait_for("/left/.test(document.body.innerText)", what="the legend")
        assert "Path" in browser.text()
        close_notices(browser)
        left = LABELS.classes[0].color
        wait_for_color(browser, 470, left, at_least=5000)
        scene = wait_for_color(browser, 470, PATH_COLOR, 30, at_least=20)
        red, blue = (np.argwhere(pixels_of(scene, c.color))[:, 1] for c in LABELS.classes)
        assert np.median(red) < np.median(blue)  # seen from the camera's side, the right way up
        click_color(browser, 470, left)
        browser.wait_for("/confidence/.test(document.getElementById('point').innerText)", what="the clicked point")
        text = " ".join(browser.evaluate("document.getElementById('point').innerText").split())
    found = re.fullmatch(
        r"left id 1 · confidence (0\.\d\d) left (0\.\d\d) right (0\.\d\d) x (\S+) y \S+ z (\S+) m, frame odom", text
    )
    assert found, text
    confidence, p_left, p_right, x, z = map(float, found.groups())
    assert p_left + p_right == pytest.approx(1, abs=0.011) and p_left > 0.85 and 0.4 < confidence < p_left
    assert x < 0 and z == pytest.approx(1.5, abs=0.03)


@needs_browser
def test_a_field_of_a_sequence_and_the_view_from_here(tmp_path: Path) -> None:
    room = tiny_room(tmp_path, 12, 64)
    with viewing("--seq", str(room), "--show", "points") as (_, url), Browser(800, 500) as browser:
        browser.open(url)
        browser.wait_for("/floor/.test(document.body.innerText)", what="the legend")
        close_notices(browser)
        browser.wait_for("/switch on Follow/.test(document.body.innerText)", what="the panel")
        button = "[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Render')"
        browser.evaluate(f"{button}.click()")
        browser.wait_for("/rendered \\d+x\\d+ .*% of it known/.test(document.body.innerText)", what="a view")


def write_lying_room(path: Path) -> None:
    """The bundled room in a world whose -y is up."""
    columns, faces = read_ply(ROOM)
    turned = np.stack([columns[axis] for axis in "xyz"], axis=1) @ upright("-y")
    write_ply(path, {axis: turned[:, i].astype(np.float32) for i, axis in enumerate("xyz")}, faces)


@needs_browser
@pytest.mark.parametrize(("up_axis", "hint"), [("auto", "the map looks -y-up: try --up-axis -y\n"), ("-y", "")])
def test_a_map_that_lies_on_its_side_is_told(tmp_path: Path, up_axis: str, hint: str) -> None:
    write_lying_room(tmp_path / "room.ply")
    arguments = ["--ply", str(tmp_path / "room.ply"), "--up-axis", up_axis]
    with viewing(*arguments) as (process, url), Browser(800, 500) as browser:
        browser.open(url)
        browser.wait_for("/Triangles\\s+[1-9]/.test(document.body.innerText)", what="the mesh")
        if hint:
            browser.wait_for("/looks -y-up/.test(document.body.innerText)", what="the hint on the page")
            assert process.stdout is not None and process.stdout.readline() == hint
        else:
            browser.wait_for("/unlabelled/.test(document.body.innerText)", what="the legend")
            assert "-up" not in browser.text()


def test_mistakes_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--ply", str(tmp_path / "none.ply")],
        ["--map", str(tmp_path / "none")],
        ["--ply", str(tmp_path / "none.ply"), "--label-set", "klingon"],
        ["--ply", "x.ply", "--refresh-rate-hz", "1000"],
        ["--seq", str(tmp_path / "none")],
        ["--seq", str(ROOM.parent), "--field", "magic"],
    ):
        assert main(["view", *arguments]) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith("sem-field") and "\n" not in error
