"""PLY triangle meshes: reads any vertex properties, ascii or binary; writes binary. No semantics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sem_field_ros.atomic import atomic_write
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.ply_elements import Element, Property, read_element, triangles

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_NAMES = {
    "i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint", "f4": "float",
    "f8": "double",
}  # fmt: skip
_BYTE_ORDER = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_MAX_HEADER_LINES = 1000


def read_ply(path: str | Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Read a PLY file: vertex properties by name (each [V]), and triangles [F, 3] int64 (none: [0, 3]).

    Polygons become triangles; other elements and other properties of faces are passed over. Raises DataError if the
    file is missing or truncated.
    """
    path = Path(path)
    vertices: dict[str, np.ndarray] = {}
    faces = np.zeros((0, 3), np.int64)
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")
        with path.open("rb") as file:
            size = path.stat().st_size
            order, elements = _read_header(file)
            for name, count, properties in elements:
                found = read_element(file, order, count, properties, size - file.tell())
                if name == "vertex":
                    vertices = found.columns
                elif name == "face" and count > 0 and (corners := _corners(found)) is not None:
                    faces = triangles(*corners)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a PLY file") from error
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: not a PLY triangle mesh that can be read ({error})") from error
    if not {"x", "y", "z"} <= vertices.keys():
        raise DataError(f"{path}: the PLY file has no vertices with x, y and z")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices["x"])):
        raise DataError(f"{path}: a face names a vertex that is not there; the file is damaged")
    return vertices, faces


def _corners(faces: Element) -> tuple[np.ndarray, np.ndarray] | None:
    """The list of vertex numbers, by its usual names, else the only list."""
    for name in ("vertex_indices", "vertex_index"):
        if name in faces.lists:
            return faces.lists[name]
    return next(iter(faces.lists.values())) if len(faces.lists) == 1 else None


def write_ply(
    path: str | Path, vertices: Mapping[str, np.ndarray], faces: np.ndarray, comments: Sequence[str] = ()
) -> None:
    """Write a binary PLY file atomically: vertex properties by name (each [V]), triangles [F, 3] (none: a cloud)."""
    count = len(vertices["x"])
    dtype = np.dtype([(name, values.dtype.newbyteorder("<")) for name, values in vertices.items()])
    records = np.empty(count, dtype)
    for name, values in vertices.items():
        records[name] = values
    triangles = np.empty(len(faces), np.dtype([("n", "u1"), ("v", "<i4", (3,))]))
    triangles["n"], triangles["v"] = 3, faces
    header = ["ply", "format binary_little_endian 1.0", *map(_comment, comments)]
    header += [f"element vertex {count}"]
    header += [f"property {_NAMES[values.dtype.str[1:]]} {name}" for name, values in vertices.items()]
    if len(faces):
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    with atomic_write(path) as file:
        file.write("\n".join([*header, "end_header", ""]).encode("ascii", "replace"))
        file.write(records.tobytes())
        file.write(triangles.tobytes())


def _comment(text: str) -> str:
    """One header line; some readers end the header at `end_header` anywhere in a line."""
    return "comment " + " ".join(text.split()).replace("end_header", "end-header")


def _read_header(file: BinaryIO) -> tuple[str, list[tuple[str, int, list[Property]]]]:
    if file.readline().strip() != b"ply":
        raise ValueError("it does not start with 'ply'")
    order = None
    elements: list[tuple[str, int, list[Property]]] = []
    for _ in range(_MAX_HEADER_LINES):
        words = file.readline().decode("latin-1").split()
        if words[:1] == ["format"]:
            order = _BYTE_ORDER[words[1]]
        elif words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:2] == ["property", "list"]:
            elements[-1][2].append((words[4], _TYPES[words[2]], _TYPES[words[3]]))
        elif words[:1] == ["property"]:
            elements[-1][2].append((words[2], _TYPES[words[1]]))
        elif words == ["end_header"]:
            if order is None:
                raise ValueError("no format line")
            return order, elements
    raise ValueError("the header does not end")
