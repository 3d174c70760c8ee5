"""Reader of Wavefront OBJ models with their MTL materials, as Sweet Home 3D's catalogues ship them.

Tolerates what these files contain: faces with any number of corners, negative and invalid indices, missing material
files and missing textures (`missing_textures` lists them), text in any 8-bit encoding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_synth.homes.polygons import triangulate
from sem_field_synth.scene import Finish

_CREASE_COS = 0.64  # 50 degrees: faces that meet at more are not smoothed into each other
_MAX_NS = 900.0


@dataclass(frozen=True)
class ObjModel:
    """Triangles of a model in the file's own coordinates.

    corners   [T, 3, 3] float64 positions              normals  [T, 3, 3] float32 unit, on the side the face points to
    uv        [T, 3, 2] float32 (v upwards; 0 where the file has none)
    material  [T] int32 into `materials`               group    [T] int32 into `groups`
    """

    corners: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    material: np.ndarray
    group: np.ndarray
    materials: dict[str, Finish]
    groups: tuple[str, ...]
    missing_textures: tuple[str, ...] = ()
    dropped_faces: int = 0

    @property
    def bounds(self) -> np.ndarray:
        """Smallest and largest coordinates, [2, 3]."""
        points = self.corners.reshape(-1, 3)
        return np.stack([points.min(axis=0), points.max(axis=0)])


@lru_cache(maxsize=64)
def read_obj(path: Path) -> ObjModel:
    """Read a model with its materials and texture paths. Raises DataError if it has no triangles."""
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    faces = _Faces()
    for line in text.replace("\\\n", " ").splitlines():
        faces.take(line)
    return faces.model(path)


class _Faces:
    """Parser state: takes lines, returns a model."""

    def __init__(self) -> None:
        self.positions: list[list[float]] = []
        self.textures: list[list[float]] = []
        self.directions: list[list[float]] = []
        self.polygons: list[list[tuple[int, int, int]]] = []
        self.of_polygon: list[tuple[int, int, bool]] = []  # material, group, smooth
        self.materials: dict[str, int] = {}
        self.groups: dict[str, int] = {}
        self.libraries: list[str] = []
        self.dropped = 0
        self._state = (-1, -1, True)

    def take(self, line: str) -> None:
        kind, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if kind == "v":
            self.positions.append(_numbers(rest, 3))
        elif kind == "vt":
            self.textures.append(_numbers(rest, 2))
        elif kind == "vn":
            self.directions.append(_numbers(rest, 3))
        elif kind == "f":
            self._face(rest.split())
        elif kind == "usemtl":
            self._state = (self.materials.setdefault(rest, len(self.materials)), *self._state[1:])
        elif kind in ("o", "g"):
            self._state = (self._state[0], self.groups.setdefault(rest, len(self.groups)), self._state[2])
        elif kind == "s":
            self._state = (*self._state[:2], rest not in ("0", "off"))
        elif kind == "mtllib":
            self.libraries.append(rest)

    def _face(self, words: list[str]) -> None:
        counts = (len(self.positions), len(self.textures), len(self.directions))
        polygon: list[tuple[int, int, int]] = []
        for word in words:
            corner = _corner(word, counts)
            if corner is None:
                self.dropped += 1
                return
            if not polygon or corner[0] != polygon[-1][0]:
                polygon.append(corner)
        if len(polygon) > 1 and polygon[0][0] == polygon[-1][0]:
            polygon.pop()
        if len(polygon) < 3:
            self.dropped += 1
            return
        material, group, smooth = self._state
        if material < 0:
            material = self.materials.setdefault("", len(self.materials))
        if group < 0:
            group = self.groups.setdefault("", len(self.groups))
        self.polygons.append(polygon)
        self.of_polygon.append((material, group, smooth))

    def model(self, path: Path) -> ObjModel:
        positions = np.array(self.positions, dtype=np.float64).reshape(-1, 3)
        flat = np.array([corner for polygon in self.polygons for corner in polygon], dtype=np.int64).reshape(-1, 3)
        counts = np.array([len(polygon) for polygon in self.polygons], dtype=np.int64)
        index, owner = triangulate(positions, flat[:, 0], counts)
        corner = flat[index]  # [T, 3 corners, 3 kinds]
        triangles = positions[corner[..., 0]]
        area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
        keep = np.isfinite(triangles).all(axis=(1, 2)) & (area > 0)
        if not keep.any():
            raise DataError(f"{path}: no triangle in it")
        corner, triangles, owner = corner[keep], triangles[keep], owner[keep]
        about = np.array(self.of_polygon, dtype=np.int32)[owner]
        uv = np.array([*self.textures, [0.0, 0.0]], dtype=np.float32)[corner[..., 1]]  # -1: the last one
        given = np.array([*self.directions, [0.0, 0.0, 0.0]], dtype=np.float32)[corner[..., 2]]
        normals = _normals(triangles, corner[..., 0], given, about[:, 2] > 0)
        materials, missing = _read_materials(path, self.libraries, tuple(self.materials))
        return ObjModel(
            triangles, normals, np.where(np.isfinite(uv), uv, 0), about[:, 0], about[:, 1], materials,
            tuple(self.groups), missing, self.dropped,
        )  # fmt: skip


def _numbers(text: str, count: int) -> list[float]:
    try:
        values = [float(word.replace(",", ".")) for word in text.split()[:count]]
    except ValueError:
        return [float("nan")] * count
    return values + [0.0] * (count - len(values))


def _corner(word: str, counts: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """`v`, `v/vt`, `v//vn` or `v/vt/vn`, from 1 or backwards from -1 -> indices from 0, -1 = none; None: no such v."""
    result = [-1, -1, -1]
    for place, part in enumerate(word.split("/")[:3]):
        try:
            number = int(part)
        except ValueError:
            continue
        number = number - 1 if number > 0 else counts[place] + number
        result[place] = number if 0 <= number < counts[place] else -1
    return None if result[0] < 0 else (result[0], result[1], result[2])


def _normals(triangles: np.ndarray, vertex: np.ndarray, given: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Corner normals: the file's, else smoothed over the vertex, else the face's; never pointing to its back."""
    face = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(face, axis=1, keepdims=True)
    face = face / length
    # weighted by the angle at the corner, so the triangulation of a polygon does not matter
    weighted = (_angles(triangles)[..., None] * face[:, None])[smooth].reshape(-1, 3)
    count = vertex.max() + 1
    total = np.stack([np.bincount(vertex[smooth].reshape(-1), weighted[:, i], count) for i in range(3)], axis=1)
    mean = _unit(total[vertex])
    usable = smooth[:, None] & ((mean * face[:, None]).sum(-1) > _CREASE_COS)
    normals = np.where(usable[..., None], mean, face[:, None])
    own = _unit(given.astype(np.float64))
    facing = (own * face[:, None]).sum(-1)
    own = np.where((facing < 0)[..., None], -own, own)
    has_own = np.isfinite(own).all(-1) & (np.abs(facing) > 0.05)
    return np.where(has_own[..., None], own, normals).astype(np.float32)


def _angles(triangles: np.ndarray) -> np.ndarray:
    """Angles at the corners of triangles [T, 3, 3], radians [T, 3]."""
    ahead = _unit(np.roll(triangles, -1, axis=1) - triangles)
    behind = _unit(np.roll(triangles, 1, axis=1) - triangles)
    return np.arccos(np.clip((ahead * behind).sum(-1), -1, 1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _read_materials(
    path: Path, libraries: list[str], names: tuple[str, ...]
) -> tuple[dict[str, Finish], tuple[str, ...]]:
    found: dict[str, Finish] = {}
    missing: list[str] = []
    for library in libraries:
        file = _beside(path, library)
        if file is not None:
            _read_mtl(file, found, missing)
    used = {name: found.get(name, Finish()) for name in names}
    return used, tuple(dict.fromkeys(missing))


def _beside(path: Path, name: str) -> Path | None:
    """The file `name` in the folder of `path`, ignoring case; folders in the name are ignored."""
    name = name.strip().strip('"').replace("\\", "/").rsplit("/", 1)[-1]
    if (path.parent / name).is_file():
        return path.parent / name
    return next((file for file in path.parent.iterdir() if file.name.lower() == name.lower()), None)


def _read_mtl(path: Path, found: dict[str, Finish], missing: list[str]) -> None:
    name = ""
    specular, exponent = 0.0, 0.0
    for line in path.read_text(encoding="latin-1").splitlines():
        kind, _, rest = line.strip().partition(" ")
        kind, rest = kind.lower(), rest.strip()
        if kind == "newmtl":
            name, specular, exponent = rest, 0.0, 0.0
            found[name] = Finish()
            continue
        if name not in found:
            continue
        values = _numbers(rest, 3)
        if kind == "kd" and all(np.isfinite(values)):
            red, green, blue = (min(max(value, 0.0), 1.0) for value in values)
            found[name] = replace(found[name], color=(red, green, blue))
        elif kind == "d" and np.isfinite(values[0]):
            found[name] = replace(found[name], opacity=min(max(values[0], 0.0), 1.0))
        elif kind == "map_kd":
            texture = _beside(path, rest.split()[-1] if rest.startswith("-") else rest)
            found[name] = replace(found[name], texture=texture)
            if texture is None:
                missing.append(rest)
        elif kind in ("ks", "ns") and np.isfinite(values[0]):
            specular, exponent = (max(values), exponent) if kind == "ks" else (specular, values[0])
            # Blender's exporter writes Ns = 900 (1 - roughness)^2
            polish = (min(max(exponent, 0.0), _MAX_NS) / _MAX_NS) ** 0.5 * min(1.0, 2 * max(specular, 0.0))
            found[name] = replace(found[name], shininess=polish)
