"""Depth and labels of the box room, known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.labels import load_label_set
from sem_field_synth.rendering.ground_truth import Truth, TruthCaster, texel
from sem_field_synth.rendering.scene_mesh import scene_mesh
from sem_field_synth.scene import HomeScene


@pytest.fixture
def truth(home: HomeScene) -> Truth:
    return TruthCaster(scene_mesh(home)).cast(home.camera, home.T_world_camera[0])


def at(home: HomeScene, point: tuple[float, float, float]) -> tuple[int, int]:
    """Row and column of the pixel that a world point falls into; the camera is at (2, 1, 1.25) and looks along y."""
    x, y, z = point[0] - 2, point[1] - 1, point[2] - 1.25
    camera = home.camera
    return round(camera.cy - camera.fy * z / y), round(camera.cx + camera.fx * x / y)


def test_depth_is_along_the_optical_axis(home: HomeScene, truth: Truth) -> None:
    assert truth.depth[at(home, (2, 5, 1.25))] == pytest.approx(4.0)
    assert truth.depth[at(home, (0.2, 5, 1.0))] == pytest.approx(4.0), "not the length of the ray"
    row = 45  # the floor under the left of the picture, 1.25 m below the camera
    assert truth.depth[row, 12] == pytest.approx(1.25 * 60 / (row - 25), rel=1e-5)
    assert truth.depth[at(home, (2, 3, 0.95))] == pytest.approx(2.0), "the front of the cube"


def test_labels_and_instances(home: HomeScene, truth: Truth) -> None:
    nyu40, scannet20 = load_label_set("nyu40"), load_label_set("scannet20")
    wall, cube = at(home, (2, 5, 1.25)), at(home, (2, 3, 0.95))
    assert truth.nyu40[wall] == nyu40.index_of("wall") and truth.scannet20[wall] == scannet20.index_of("wall")
    assert truth.instance[wall] == 3 and truth.instance[cube] == 9
    assert truth.scannet20[cube] == scannet20.index_of("chair")
    ceiling = truth.instance == 2
    assert ceiling.any() and (truth.nyu40[ceiling] == nyu40.index_of("ceiling")).all()
    assert (truth.scannet20[ceiling] == -1).all(), "ScanNet-20 has no ceiling"


def test_glass_is_solid_and_holes_in_textures_are_holes(home: HomeScene, truth: Truth) -> None:
    pane, leaf, hole = at(home, (1, 4, 1.75)), at(home, (2.75, 4, 1.75)), at(home, (3.25, 4, 1.75))
    assert truth.instance[pane] == 7 and truth.depth[pane] == pytest.approx(3.0)
    assert truth.instance[leaf] == 8 and truth.depth[leaf] == pytest.approx(3.0)
    assert truth.instance[hole] == 3 and truth.depth[hole] == pytest.approx(4.0, abs=1e-3)


def test_nothing_is_seen_where_nothing_is(home: HomeScene) -> None:
    away = home.T_world_camera[0].copy()
    away[:3, 3] = (2, 9, 1)  # behind the far wall, looking away
    truth = TruthCaster(scene_mesh(home)).cast(home.camera, away)
    assert (truth.depth == 0).all() and (truth.instance == 0).all()
    assert (truth.nyu40 == -1).all() and (truth.triangle == -1).all()


def test_textures_repeat_and_their_first_row_is_on_top() -> None:
    rows, columns = texel(np.array([[0.15, 0.95], [1.15, -0.05], [0.95, 0.15]]), (10, 10))
    assert rows.tolist() == [0, 0, 8]
    assert columns.tolist() == [1, 1, 9]
