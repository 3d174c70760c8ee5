"""PLY triangle meshes: reads any vertex properties, ascii or binary; writes binary. No semantics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sem_field_ros.atomic import atomic_write
from sem_field_ros.errors import DataError

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

    Raises DataError if the file is missing, truncated, or has faces that are not triangles.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            order, elements = _read_header(file)
            vertices: dict[str, np.ndarray] = {}
            faces = np.zeros((0, 3), np.int64)
            for name, count, properties in elements:
                lists = [p for p in properties if len(p) == 3]
                if name == "vertex" and not lists:
                    vertices = _read_records(file, order, count, properties)
                elif name == "face" and len(lists) == 1 and len(properties) == 1:
                    faces = _read_triangles(file, order, count, lists[0])
                else:
                    break  # later elements are not needed
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a PLY file") from error
    except (ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a PLY triangle mesh that can be read ({error})") from error
    if not {"x", "y", "z"} <= vertices.keys():
        raise DataError(f"{path}: the PLY file has no vertices with x, y and z")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices["x"])):
        raise DataError(f"{path}: a face names a vertex that is not there; the file is damaged")
    return vertices, faces


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


Property = tuple[str, ...]  # (name, type), or (name, count type, item type) for a list


def _read_header(file: BinaryIO) -> tuple[str, list[tuple[str, int, list[Property]]]]:
    if file.readline().strip() != b"ply":
        raise ValueError("it does not start with 'ply'")
    order = None
    elements: list[tuple[str, int, list[Property]]] = []
    for _ in range(_MAX_HEADER_LINES):
        words = file.readline().decode("ascii").split()
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


def _read_records(file: BinaryIO, order: str, count: int, properties: list[Property]) -> dict[str, np.ndarray]:
    if order == "":
        rows = [file.readline().split() for _ in range(count)]
        if any(len(row) != len(properties) for row in rows):
            raise ValueError("vertex lines are missing or short")
        return {p[0]: np.array([float(row[i]) for row in rows]).astype(p[1]) for i, p in enumerate(properties)}
    dtype = np.dtype([(p[0], order + p[1]) for p in properties])
    records = np.frombuffer(_read_exactly(file, count * dtype.itemsize), dtype)
    return {p[0]: records[p[0]].astype(p[1]) for p in properties}


def _read_triangles(file: BinaryIO, order: str, count: int, listed: Property) -> np.ndarray:
    if order == "":
        rows = [file.readline().split() for _ in range(count)]
        if any(row[:1] != [b"3"] or len(row) != 4 for row in rows):
            raise ValueError("faces must be triangles")
        return np.array([[int(v) for v in row[1:]] for row in rows], np.int64).reshape(-1, 3)
    dtype = np.dtype([("n", order + listed[1]), ("v", order + listed[2], (3,))])
    records = np.frombuffer(_read_exactly(file, count * dtype.itemsize), dtype)
    if (records["n"] != 3).any():
        raise ValueError("faces must be triangles")
    return records["v"].astype(np.int64)


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise ValueError("the file is cut short")
    return content
