"""PLY files and surfaces, converted to what the viewer draws."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import UNLABELLED_ID
from sem_field_ros.viewer.mesh_chunks import SAME_M, Triangles, position_keys
from sem_field_ros.viewer.points import LabelledPoints

_MAX_HEADER_LINES = 1000


def load_ply(path: Path) -> tuple[LabelledPoints, Triangles, dict[int, str]]:
    """Points, triangles (none for a cloud) and class names of a PLY file.

    Points without a label are unlabelled, without a colour grey. Names come from header comments `class ID NAME`, as
    `sem-field map` writes them. Raises DataError.
    """
    columns, faces = read_ply(path)
    count = len(columns["x"])
    if count == 0:
        raise DataError(f"{path}: the PLY file has no points")
    points = np.stack([columns[axis] for axis in "xyz"], axis=1)
    rgb = np.full((count, 3), 160, np.uint8)
    if {"red", "green", "blue"} <= columns.keys():
        rgb = np.stack([columns[name] for name in ("red", "green", "blue")], axis=1).astype(np.uint8)
    ids = columns.get("label", np.full(count, UNLABELLED_ID))
    cloud = LabelledPoints.from_arrays(points, rgb, ids, columns.get("confidence"))
    if len(faces):  # two blocks share the vertices on their border
        cloud = cloud.take(np.sort(np.unique(position_keys(cloud.points, SAME_M), return_index=True)[1]))
    return cloud, triangles_of(points, rgb, faces), _class_names(path)


def triangles_of(vertices: np.ndarray, rgb: np.ndarray, faces: np.ndarray) -> Triangles:
    """Vertices [V, 3], their colours [V, 3] uint8, faces [F, 3] -> corners."""
    corners = vertices[faces.reshape(-1)].astype(np.float32)
    good = np.isfinite(corners).reshape(-1, 9).all(axis=1).repeat(3)
    return Triangles(corners[good], rgb[faces.reshape(-1)][good])


def _class_names(path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    with path.open("rb") as file:
        for line in islice(file, _MAX_HEADER_LINES):
            if line.strip() == b"end_header":
                break
            words = line.decode("utf-8", errors="replace").split(maxsplit=3)
            if len(words) == 4 and words[:2] == ["comment", "class"] and words[2].isdigit():
                names[int(words[2])] = words[3].strip()
    return names
