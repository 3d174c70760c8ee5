"""Reader of the Princeton segmentation benchmark (Chen et al. 2009): OFF meshes with a part number for every face.

Either off/NAME.off with named parts in labels/NAME.txt and labels/meta.json (category, up axis), or NAME.off beside one
person's segmentation NAME.seg or NAME_0.seg, whose segments have no names.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.datasets.files.text import read_text
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.ply_elements import triangles

_NO_FACES = np.zeros((0, 3), np.int64)
_OFF = re.compile(r"((?:ST)?C?N?OFF)(\d*)", re.IGNORECASE)

# parts by category, in the order of their numbers in labels/NAME.txt; named as in config/labels/*_parts.yaml
PARTS: dict[str, tuple[str, ...]] = {"chair": ("seat", "back", "leg"), "table": ("top", "back", "leg")}


@dataclass(frozen=True)
class LabelledMesh:
    """One object: vertices [V, 3] float64 and faces [F, 3] int64 as stored, a part number a face.

    labels  [F] int16, index into `parts`, -1 = unlabelled      up  [3] unit vector, None if unknown
    """

    name: str
    category: str
    vertices: np.ndarray
    faces: np.ndarray
    labels: np.ndarray
    parts: tuple[str, ...]
    up: np.ndarray | None = None

    def upright(self) -> np.ndarray:
        """The vertices turned so that up is +z, [V, 3]. Raises DataError if the up axis is unknown."""
        if self.up is None:
            raise DataError(f"shape {self.name}: its up axis is not known (labels/meta.json)")
        return self.vertices @ _rotation_to_z(self.up).T


def psb_names(folder: str | Path) -> list[str]:
    """Names of the labelled shapes in a folder, sorted. Raises DataError if there are none."""
    folder = Path(folder)
    named = [file.stem for file in (folder / "off").glob("*.off") if (folder / "labels" / f"{file.stem}.txt").is_file()]
    bare = [file.stem for file in folder.glob("*.off") if _segmentation(file) is not None]
    if not named + bare:
        raise missing_data(folder, "psb")
    return sorted(named or bare)


def read_psb(folder: str | Path, name: str) -> LabelledMesh:
    """Read one shape by name. Raises DataError in one line."""
    folder = Path(folder)
    path = folder / "off" / f"{name}.off"
    if path.is_file():
        meta = _read_meta(folder / "labels" / "meta.json").get(name, {})
        category = str(meta.get("category", ""))
        labels_path = folder / "labels" / f"{name}.txt"
        parts = PARTS.get(category, ())
    else:
        path, category, parts, meta = folder / f"{name}.off", "", (), {}
        found = _segmentation(path)
        if not path.is_file() or found is None:
            raise missing_data(path, "psb")
        labels_path = found
    vertices, faces = read_off(path)
    labels = _read_labels(labels_path, len(faces))
    if not parts:
        parts = tuple(f"segment {number}" for number in range(int(labels.max(initial=-1)) + 1))
    if labels.max(initial=-1) >= len(parts):
        raise DataError(f"{labels_path}: part {labels.max()} is not one of {', '.join(parts)}")
    return LabelledMesh(name, category, vertices, faces, labels, parts, _up(meta))


def read_off(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a mesh in OFF format: vertices [V, 3] float64, triangles [F, 3] int64 of its polygons. Raises DataError."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")
        lines = (line.partition("#")[0] for line in read_text(path).splitlines())
        rows = [line.split() for line in lines if line.strip()]
        v, f = _off_start(rows)
        if v < 0 or f < 0 or v + f > len(rows):
            raise ValueError(f"it says {v} vertices and {f} faces, and has {len(rows)} lines")
        vertices = np.array([row[:3] for row in rows[:v]], dtype=np.float64).reshape(v, 3)
        listed = [[int(word) for word in row[: int(row[0]) + 1]] for row in rows[v : v + f]]  # then colours
        if any(len(row) != row[0] + 1 for row in listed):
            raise ValueError("a face has fewer corners than it says")
        lengths = np.array([row[0] for row in listed], np.int64)
        faces = triangles(lengths, np.array([n for row in listed for n in row[1:]], np.int64)) if listed else _NO_FACES
        if len(faces) and (faces.min() < 0 or faces.max() >= v):
            raise ValueError("a face names a vertex that is not there")
    except (DataError, ValueError, IndexError) as error:
        raise DataError(f"{path}: not an OFF triangle mesh that can be read ({error})") from error
    return vertices, faces


def _off_start(rows: list[list[str]]) -> tuple[int, int]:
    """Take the head (OFF, COFF with colours, NOFF with normals) off the rows: numbers of vertices and faces."""
    if not rows or (found := _OFF.fullmatch(rows[0][0])) is None:
        raise ValueError("it does not start with OFF")
    words = [word for word in (found[2], *rows[0][1:]) if word]  # some files omit the space or the line's end
    del rows[0]
    if not words:
        words = rows.pop(0)
    return int(words[0]), int(words[1])


def _segmentation(path: Path) -> Path | None:
    candidates = [path.with_suffix(".seg"), *sorted(path.parent.glob(f"{path.stem}_*.seg"))]
    return next((file for file in candidates if file.is_file()), None)


def _read_labels(path: Path, faces: int) -> np.ndarray:
    try:
        labels = np.array(path.read_text(encoding="utf-8").split(), dtype=np.int16)
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: expected a whole number a face ({error})") from error
    if len(labels) != faces:
        raise DataError(f"{path} has {len(labels)} numbers for {faces} faces")
    return np.where(labels < 0, -1, labels).astype(np.int16)


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error})") from error


def _up(meta: dict[str, Any]) -> np.ndarray | None:
    up = np.array(meta.get("up", []), dtype=np.float64)
    return up / np.linalg.norm(up) if up.shape == (3,) and np.linalg.norm(up) > 0 else None


def _rotation_to_z(up: np.ndarray) -> np.ndarray:
    """The shortest rotation that takes `up` to +z, [3, 3]."""
    z = np.array([0.0, 0, 1])
    axis, cosine = np.cross(up, z), float(up @ z)
    if cosine < -1 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)
