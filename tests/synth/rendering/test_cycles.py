"""Cycles sees what the ground truth says; skipped where Blender's wheel bpy is not installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.errors import DataError
from sem_field_synth.rendering import cycles_job
from sem_field_synth.rendering.cycles_job import CyclesRenderer, cycles_missing
from sem_field_synth.rendering.ground_truth import TruthCaster
from sem_field_synth.rendering.scene_mesh import scene_mesh
from sem_field_synth.scene import HomeScene

needs_bpy = pytest.mark.skipif(bool(cycles_missing()), reason=cycles_missing() or "installed")


def center(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0)


@needs_bpy
def test_pictures_lie_on_the_labels_to_a_fraction_of_a_pixel(home: HomeScene, tmp_path: Path) -> None:
    # the principal point of this camera is off the middle, and its pixels are not square
    home = replace(home, camera=replace(home.camera, fy=66.0))
    mesh = scene_mesh(home)
    truth = TruthCaster(mesh).cast(home.camera, home.T_world_camera[0])
    with CyclesRenderer(home, mesh, tmp_path / "scratch", samples=8) as renderer:
        for name in ("a", "b"):
            renderer.ask(name, home.T_world_camera[0])
        picture, other = renderer.take("a"), renderer.take("b")
    assert picture.shape == (48, 64, 3) and picture.dtype == np.float32
    red = picture[..., 0] > 3 * picture[..., 1]
    cube = truth.instance == 9
    assert np.abs(center(red) - center(cube)).max() < 0.5
    assert (red & cube).sum() / (red | cube).sum() > 0.85
    assert (picture != other).any(), "each frame has noise of its own"
    assert np.abs(picture.mean() / other.mean() - 1) < 0.05
    assert not (tmp_path / "scratch").exists()


@needs_bpy
def test_blender_s_end_is_one_line(home: HomeScene, tmp_path: Path) -> None:
    renderer = CyclesRenderer(home, scene_mesh(home), tmp_path / "scratch", samples=1)
    with renderer, pytest.raises(DataError, match="Blender ended"):
        renderer._process.kill()
        renderer.ask("a", home.T_world_camera[0])
        renderer.take("a")


def test_without_blender_a_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles_job.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(cycles_job.sys, "version_info", (3, 11, 2))
    assert cycles_job.INSTALL in cycles_missing()
    version = type("Version", (tuple,), {"major": 3, "minor": 12})((3, 12, 0))
    monkeypatch.setattr(cycles_job.sys, "version_info", version)
    assert "Python 3.11 alone and this is 3.12" in cycles_missing()
