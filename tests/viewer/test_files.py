"""PLY files in the viewer, and that nothing of ROS is needed for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.commands.saved_maps import open_saved_map
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.ply import write_ply as write_plain_ply
from sem_field_ros.labels import load_label_set
from sem_field_ros.mapping.files.map_file import save_map
from sem_field_ros.results.export import write_ply
from sem_field_ros.surface import Surface
from sem_field_ros.viewer.files import open_ply, view_map
from sem_field_ros.viewer.inspection import Answer, PointProbabilities
from tests.mapping.test_submaps import make, map_wall

LABELS = load_label_set("scannet20")


def test_an_exported_surface_comes_back(tmp_path: Path) -> None:
    surface = Surface(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32),
        np.tile(np.float32([0, 0, 1]), (3, 1)),
        np.array([[1, 2, 3]] * 3, np.uint8),
        np.array([LABELS.index_of("chair"), LABELS.index_of("table"), -1], np.int16),
        np.array([0.5, 0.75, 0.0], np.float32),
        np.array([[0, 1, 2]], np.int32),
        np.ones(3, bool),
    )
    write_ply(tmp_path / "mesh.ply", surface, LABELS, "rgb")
    file = open_ply(tmp_path / "mesh.ply")
    cloud, triangles, names = file.cloud, file.triangles, file.names
    assert file.labels is None and file.ask is None and file.path == [] and file.frame == ""
    assert [names[i] for i in cloud.label_ids.tolist()] == ["chair", "table", "unlabelled"]
    assert (
        cloud.has_confidence and cloud.confidence.tolist() == [0.5, 0.75, 0.0] and cloud.rgb.tolist() == [[1, 2, 3]] * 3
    )
    assert triangles.corners.tolist() == surface.vertices.tolist() and len(triangles) == 1


def test_a_bare_cloud_is_unlabelled_and_grey(tmp_path: Path) -> None:
    xyz = {axis: np.zeros(2, np.float32) for axis in "xyz"}
    write_plain_ply(tmp_path / "cloud.ply", xyz, np.zeros((0, 3), int))
    file = open_ply(tmp_path / "cloud.ply")
    cloud, triangles, names = file.cloud, file.triangles, file.names
    assert cloud.label_ids.tolist() == [255, 255] and len(triangles) == 0 and names == {}
    assert not cloud.has_confidence and not cloud.take(np.array([0])).has_confidence


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.ply").write_text("solid")
    with pytest.raises(DataError, match="x.ply"):
        open_ply(tmp_path / "x.ply")


def test_a_saved_map_is_viewed_with_its_earlier_submaps(tmp_path: Path) -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    submaps.begin_submap()
    map_wall(submaps, 10.0)
    save_map(tmp_path, "walls", submaps.state())
    file = view_map(open_saved_map(tmp_path / "walls"), "odom")
    assert [T[0, 3] for T in file.path] == [0.0] * 3 + [10.0] * 3 and file.frame == "odom"
    answers: list[Answer] = []
    for x in (0.0, 10.0):
        near = file.cloud.points[np.abs(file.cloud.points[:, 0] - x - 0.3).argmin()]
        assert abs(near[0] - x - 0.3) < 0.05
        assert file.ask is not None
        file.ask(near.astype(np.float64), answers.append)
    first, second = answers
    assert isinstance(first, PointProbabilities) and isinstance(second, PointProbabilities)
    assert first.names == ("left", "right") and first.top(1)[0][0] == second.top(1)[0][0] == "right"


def test_files_are_viewed_without_ros() -> None:
    code = "import sys, sem_field_ros.commands.view as v; sys.exit('rclpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
