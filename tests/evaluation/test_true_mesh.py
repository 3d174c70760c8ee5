"""The true mesh: which points a camera sees, known by hand, and where the mesh of a sequence is looked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from sem_field_ros.errors import DataError
from sem_field_ros.evaluation.true_mesh import SeenPoints, TrueMesh, find_true_mesh
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.ply import write_ply
from sem_field_ros.geometry.raycast import MeshRaycaster

CAMERA = Intrinsics(100, 100, 49.5, 39.5, 100, 80)


def _box_and_wall() -> MeshRaycaster:
    """A wall at z = 3 and a box of 0.5 m in front of it at z = 2."""
    box = trimesh.creation.box(extents=(0.5, 0.5, 0.5), transform=trimesh.transformations.translation_matrix((0, 0, 2)))
    wall = trimesh.Trimesh([[-5, -5, 3], [5, -5, 3], [5, 5, 3], [-5, 5, 3]], [[0, 1, 2], [0, 2, 3]])
    both = trimesh.util.concatenate([box, wall])
    return MeshRaycaster(both.vertices, both.faces)


POINTS = np.array(
    [
        [0.0, 0, 1.75],  # the box's front
        [0, 0, 2.25],  # its back
        [0, 0, 3],  # the wall behind it
        [1, 0, 3],  # the wall beside it
        [2, 0, 3],  # outside of the image: u = 116
        [0, 0.9, 3],  # below the box
        [0, 0, -1],  # behind the camera
        [1, 0, 3.005],  # as good as on the wall
        [1, 0, 3.1],  # behind the wall
    ]
)


def test_what_one_camera_sees_is_known() -> None:
    seen = SeenPoints(POINTS, _box_and_wall())
    seen.observe(CAMERA, np.eye(4))
    assert seen.seen.tolist() == [True, False, False, True, False, True, False, True, False]


def test_cameras_add_up_and_reach_ends() -> None:
    seen = SeenPoints(POINTS, _box_and_wall(), reach_m=2.5)
    seen.observe(CAMERA, np.eye(4))
    assert seen.seen.tolist() == [True] + [False] * 8
    aside = np.eye(4)
    aside[:3, 3] = (1.2, 0, 1)  # the wall beside the box is 2 m away now; the front is outside of the image
    seen.observe(CAMERA, aside)
    assert seen.seen.tolist() == [True, False, False, True, True, False, False, True, False]


def test_distance_to_triangles_not_to_vertices() -> None:
    mesh = _box_and_wall()
    np.testing.assert_allclose(mesh.distance(np.array([[0.0, 0, 1.5], [3, 3, 2.9]])), [0.25, 0.1], atol=1e-6)
    empty = MeshRaycaster(np.zeros((0, 3)), np.zeros((0, 3), int))
    assert np.isinf(empty.distance(np.zeros((2, 3)))).all() and empty.sees(np.zeros(3), POINTS, 0.01).all()


def test_the_mesh_is_found_beside_the_sequence_or_where_its_reader_says(tmp_path: Path) -> None:
    columns = {axis: np.arange(3, dtype=np.float32) for axis in "xyz"}
    write_ply(tmp_path / "mesh_labels.ply", columns | {"label": np.array([1, 2, 5], np.uint8)}, np.array([[0, 1, 2]]))
    sequence = SimpleNamespace(path=tmp_path, name="s", labels=None)
    found = find_true_mesh(sequence)
    assert found is not None and found.label_ids.tolist() == [1, 2, 5] and found.faces.tolist() == [[0, 1, 2]]
    np.testing.assert_array_equal(found.vertices, [[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    assert find_true_mesh(SimpleNamespace(path=tmp_path / "elsewhere", name="s", labels=None)) is None
    (tmp_path / "mesh_labels.ply").rename(tmp_path / "scan.ply")
    sequence.mesh_path = tmp_path / "scan.ply"
    assert find_true_mesh(sequence) is not None
    sequence = SimpleNamespace(path=tmp_path, read_mesh=lambda: (np.zeros((2, 3)), np.zeros((0, 3), int), np.ones(2)))
    assert len(find_true_mesh(sequence).vertices) == 2
    sequence.mesh_path = tmp_path / "scan.ply"  # what the user named goes before what the reader finds
    assert len(find_true_mesh(sequence).vertices) == 3
    write_ply(tmp_path / "bare.ply", columns, np.zeros((0, 3), int))
    with pytest.raises(DataError, match="no vertex property 'label'"):
        TrueMesh.read(tmp_path / "bare.ply")
