"""PLY reading and writing: round trips, ascii by hand, damaged files refused with one line."""

from __future__ import annotations

import struct
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
        (lambda t: t[:-20], "cut short|short|index"),
        (lambda t: t.replace("ply\n", "PLX\n", 1), "does not start with 'ply'"),
        (lambda t: t.replace("3 0 1 2", "3 0 1 9"), "not there"),
        (lambda t: t.replace("3 0 1 2", "4 0 1 2"), "not a PLY triangle mesh"),
        (lambda t: t.replace("3 0 1 2", "2 0 1"), "a face has 2 corners"),
        (lambda t: t.replace("property float z\n", ""), "a line has 4 values instead of 3|short|no vertices"),
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


HEAD = "ply\nformat {} 1.0\ncomment Küche, gescannt\n"
VERTEX = "element vertex 5\nproperty float x\nproperty float y\nproperty float z\n"
FACE = "element face 2\nproperty uchar flag\nproperty list uchar int vertex_index\nproperty int object_id\n"
CAMERA = "element camera 1\nproperty float f\nproperty list uchar float pose\n"
CORNERS = ((0, 1, 2, 3), (2, 3, 4))
TRIANGLES = [[0, 1, 2], [0, 2, 3], [2, 3, 4]]


def _records(order: str, corners) -> dict[str, bytes]:
    """The elements' records, ascii or binary."""
    rows = [(float(i), float(i * i), 0.5) for i in range(5)]
    if order == "ascii":
        lines = {"vertex": [f"{x} {y} {z}" for x, y, z in rows], "camera": ["1.5 2 0.1 0.2"],
                 "face": [f"1 {len(c)} {' '.join(map(str, c))} 7" for c in corners]}  # fmt: skip
        return {name: ("\n".join(text) + "\n").encode() for name, text in lines.items()}
    end = ">" if "big" in order else "<"
    faces = (struct.pack(f"{end}BB{len(c)}ii", 1, len(c), *c, 7) for c in corners)
    return {"vertex": np.array(rows, end + "f4").tobytes(), "camera": struct.pack(f"{end}fBff", 1.5, 2, 0.1, 0.2),
            "face": b"".join(faces)}  # fmt: skip


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("elements", ["vertex face", "face vertex", "camera vertex face", "vertex face camera"])
@pytest.mark.parametrize("corners", [CORNERS, ((0, 1, 2), (2, 3, 4))])
def test_any_order_of_elements_polygons_and_more_properties(tmp_path: Path, order: str, elements: str, corners) -> None:
    described = {"vertex": VERTEX, "face": FACE, "camera": CAMERA}
    records = _records(order, corners)
    names = elements.split()
    head = HEAD.format(order) + "".join(described[name] for name in names) + "end_header\n"
    (tmp_path / "m.ply").write_bytes(head.encode() + b"".join(records[name] for name in names))
    vertices, faces = read_ply(tmp_path / "m.ply")
    np.testing.assert_array_equal(vertices["y"], [0, 1, 4, 9, 16])
    assert faces.tolist() == (TRIANGLES if corners is CORNERS else [[0, 1, 2], [2, 3, 4]])


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian"])
def test_a_huge_count_costs_nothing(tmp_path: Path, order: str) -> None:
    text = HEAD.format(order) + VERTEX.replace("vertex 5", "vertex 4000000000000") + "end_header\n"
    (tmp_path / "m.ply").write_bytes(text.encode() + bytes(60))
    with pytest.raises(DataError, match="cut short: 4000000000000 records"):
        read_ply(tmp_path / "m.ply")
    faces = FACE.replace("list uchar", "list uint").replace("uchar flag", "int flag")
    text = HEAD.format("binary_little_endian") + VERTEX + faces + "end_header\n"
    (tmp_path / "m.ply").write_bytes(text.encode() + bytes(60) + b"\0\0\0\0\xff\xff\xff\x7f" + bytes(60))
    with pytest.raises(DataError, match="a list says it has"):
        read_ply(tmp_path / "m.ply")
