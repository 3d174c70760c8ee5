"""Scenes become sequence folders: whole ones, whatever happens on the way, and the same ones every time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import load_label_set
from sem_field_synth.homes.run import HomeJob, draw_all
from sem_field_synth.rendering.home_writer import DrawSettings, draw_home
from sem_field_synth.scene import HomeScene

RASTER = DrawSettings(renderer="raster", seed=3)
META = {"generator": "by hand", "home": "Box", "split": "train", "seed": 3}


def draw(home: HomeScene, folder: Path, **changes: object) -> list[int]:
    ticks: list[int] = []
    draw_home(home, folder, replace(RASTER, **changes), META, "cube: nobody\n", ticks.append)  # type: ignore[arg-type]
    return ticks


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_scene_becomes_a_sequence_that_readers_read(home: HomeScene, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "box"
    ticks = draw(home, folder)
    assert sum(ticks) == 4
    sequence = FolderSequence(folder)
    frame = sequence.read(1)
    assert len(sequence) == 4 and frame.stamp_ns == 1_100_000_000
    assert frame.camera == home.camera and np.allclose(frame.T_world_camera, home.T_world_camera[1])
    assert sequence.meta["home"] == "Box" and sequence.meta["instances"] == {"9": "test#cube"}
    assert (folder / "ATTRIBUTION.txt").read_text() == "cube: nobody\n"
    scannet20, nyu40 = load_label_set("scannet20"), load_label_set("nyu40")
    assert frame.labels is not None and frame.labels.dtype == np.uint8
    chair = frame.labels == scannet20.ids[scannet20.index_of("chair")]
    wide = cv2.imread(str(folder / "label_nyu40" / "000001.png"), cv2.IMREAD_UNCHANGED)
    assert ((wide == nyu40.ids[nyu40.index_of("chair")]) == chair).all() and chair.any()
    instance = cv2.imread(str(folder / "instance" / "000001.png"), cv2.IMREAD_UNCHANGED)
    assert instance.dtype == np.uint16 and ((instance == 9) == chair).all()
    clean = cv2.imread(str(folder / "depth_clean" / "000001.png"), cv2.IMREAD_UNCHANGED)
    assert clean[20, 30] == 4000, "the far wall, in millimetres"
    assert frame.depth is not None and frame.depth[20, 30] == pytest.approx(4.0, abs=0.2)
    assert (frame.depth == 0).any(), "the sensor misses some"


def test_the_mesh_holds_what_was_seen(home: HomeScene, tmp_path: Path) -> None:
    draw(home, tmp_path / "box")
    vertices, faces = read_ply(tmp_path / "box" / "mesh_labels.ply")
    points = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    scannet20 = load_label_set("scannet20")
    label = scannet20.to_index(vertices["label"])
    floor = label == scannet20.index_of("floor")
    assert len(faces) and floor.any() and np.abs(points[floor, 2]).max() < 1e-6
    chair = points[label == scannet20.index_of("chair")]
    assert chair[:, 1].max() < 4 - 1e-3 or chair[chair[:, 1] > 3.99][:, 2].min() > 0.99, "not the back of the cube"
    assert points[:, 1].min() > 1, "nothing behind the camera"
    ceiling = (np.abs(points[:, 2] - 2.5) < 1e-6) & (np.abs(points[:, 0] - 2) < 1.9) & (points[:, 1] < 4.9)
    assert ceiling.any() and (label[ceiling] == -1).all()


@pytest.mark.parametrize("killed_after", [0, 1, 3])
def test_a_killed_run_goes_on_and_ends_the_same(home: HomeScene, tmp_path: Path, killed_after: int) -> None:
    draw(home, tmp_path / "whole")
    done = 0

    def on_progress(frames: int) -> None:
        nonlocal done
        done += frames
        if done >= killed_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_home(home, tmp_path / "killed", RASTER, META, "cube: nobody\n", on_progress)
    assert not (tmp_path / "killed").exists(), "an unfinished scene is not there yet"
    with pytest.raises(DataError):
        open_sequence(tmp_path / "killed")
    ticks = draw(home, tmp_path / "killed")
    assert ticks[0] == killed_after and sum(ticks) == 4
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_a_finished_scene_is_left_alone(home: HomeScene, tmp_path: Path) -> None:
    draw(home, tmp_path / "box")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "box").rglob("*")}
    assert draw(home, tmp_path / "box") == [4]
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "box").rglob("*")} == before


def test_what_was_drawn_otherwise_is_not_mixed_in(home: HomeScene, tmp_path: Path) -> None:
    draw(home, tmp_path / "box")
    with pytest.raises(OutputError, match="other settings"):
        draw_home(home, tmp_path / "box", RASTER, {**META, "generator": "otherwise"}, "")
    part = tmp_path / ".begun.part"
    (part / "color").mkdir(parents=True)
    (part / "color" / "000000.jpg").write_bytes(b"of another version")
    draw(home, tmp_path / "begun")
    assert content(tmp_path / "begun") == content(tmp_path / "box")


def test_another_seed_is_another_camera(home: HomeScene, tmp_path: Path) -> None:
    draw(home, tmp_path / "a")
    draw(home, tmp_path / "b", seed=4)
    a, b = FolderSequence(tmp_path / "a").read(0), FolderSequence(tmp_path / "b").read(0)
    assert (a.color != b.color).any() and (a.depth != b.depth).any()  # type: ignore[union-attr]
    assert (a.labels == b.labels).all()  # type: ignore[union-attr]


def job(home: HomeScene, folder: Path, **changes: object) -> HomeJob:
    values = {"name": folder.name, "folder": folder, "build": partial(tuple, (home, "text")), "bag": False, "frames": 4}
    return HomeJob(**{**values, **changes}, settings=RASTER, meta=META)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_scene_does_not_end_the_others(home: HomeScene, tmp_path: Path, workers: int) -> None:
    broken = replace(home, models=[replace(home.models[0], model=tmp_path / "gone.obj")])
    jobs = [job(home, tmp_path / "first", bag=True), job(broken, tmp_path / "broken"), job(home, tmp_path / "last")]
    ticks: list[int] = []
    results = {result.name: result.error for result in draw_all(jobs, workers, ticks.append)}
    assert results["first"] == results["last"] == ""
    assert "gone.obj" in results["broken"] and "\n" not in results["broken"]
    assert sum(ticks) >= 4
    assert not (tmp_path / "broken").exists()
    bag = open_sequence(tmp_path / "first.mcap")
    assert len(bag) == 4 and bag.labels is not None
    assert len(open_sequence(tmp_path / "first")) == 4


def test_an_unforeseen_error_is_one_line(home: HomeScene, tmp_path: Path) -> None:
    results = list(draw_all([job(home, tmp_path / "x", build=partial(int, "two\nlines"))], 1))
    assert results[0].error.startswith("ValueError") and "\n" not in results[0].error
