"""PLY reading and writing: round trips, ascii by hand, damaged files refused with one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.errors import DataError
from sem_field_ros.geometry.ply import read_ply, write_ply

ASCII = """ply
format ascii 1.0
comment by hand
element vertex 3
property float x
property float y
property float z
property ushort label
element face 1
property list uchar int vertex_indices
end_header
0 0 0 5
1 0 0 5
0 1.5 0 300
3 0 1 2
"""


def test_ascii_by_hand(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_text(ASCII)
    vertices, faces = read_ply(tmp_path / "a.ply")
    assert vertices["label"].dtype == np.uint16 and vertices["label"].tolist() == [5, 5, 300]
    assert vertices["y"].tolist() == [0, 0, 1.5] and faces.tolist() == [[0, 1, 2]]


def test_round_trip_keeps_every_property(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vertices = {name: rng.normal(size=7).astype(np.float32) for name in "xyz"}
    vertices |= {"label": np.arange(7, dtype=np.uint8), "weight": rng.normal(size=7)}
    write_ply(tmp_path / "b.ply", vertices, np.array([[0, 1, 2], [4, 5, 6]]))
    read, faces = read_ply(tmp_path / "b.ply")
    assert read.keys() == vertices.keys() and faces.tolist() == [[0, 1, 2], [4, 5, 6]]
    for name, values in vertices.items():
        assert read[name].dtype == values.dtype and np.array_equal(read[name], values)


def test_a_mesh_without_faces(tmp_path: Path) -> None:
    write_ply(tmp_path / "c.ply", {name: np.zeros(2, np.float32) for name in "xyz"}, np.zeros((0, 3), int))
    assert read_ply(tmp_path / "c.ply")[1].shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:-20], "faces must be triangles|cut short|short"),
        (lambda t: t.replace("ply\n", "PLX\n", 1), "does not start with 'ply'"),
        (lambda t: t.replace("3 0 1 2", "3 0 1 9"), "not there"),
        (lambda t: t.replace("3 0 1 2", "4 0 1 2 0"), "triangles"),
        (lambda t: t.replace("property float z\n", ""), "short|no vertices"),
        (lambda t: t.replace("property float x", "property complex x"), "complex"),
        (lambda t: t[: t.index("end_header")], "header does not end"),
    ],
)
def test_damage_is_one_clear_line(tmp_path: Path, change, message: str) -> None:
    (tmp_path / "d.ply").write_text(change(ASCII))
    with pytest.raises(DataError, match=message) as error:
        read_ply(tmp_path / "d.ply")
    assert "\n" not in str(error.value)


def test_truncated_binary_and_missing_file(tmp_path: Path) -> None:
    write_ply(tmp_path / "e.ply", {name: np.zeros(9, np.float32) for name in "xyz"}, np.array([[0, 1, 2]]))
    content = (tmp_path / "e.ply").read_bytes()
    (tmp_path / "e.ply").write_bytes(content[:-4])
    with pytest.raises(DataError, match="cut short"):
        read_ply(tmp_path / "e.ply")
    with pytest.raises(DataError, match="cannot be read"):
        read_ply(tmp_path / "none.ply")
