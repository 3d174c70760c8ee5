"""A map put together from what a mapper publishes: mesh blocks that come and go, and the semantic cloud.

The mesh carries positions alone, the cloud carries colour, label and confidence of the same vertices; both together
are a Surface again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from sem_field_ros.labels import UNLABELLED_INDEX, LabelSet
from sem_field_ros.surface import Surface

_NEAR_M = 0.05  # a mesh vertex that the cloud does not have takes the attributes of a point this near
_GREY = 160


@dataclass(frozen=True)
class CloudPoints:
    """A semantic cloud as published, N points: positions in metres, RGB, label *ids*, confidence."""

    points: np.ndarray  # [N, 3] float32
    colors: np.ndarray  # [N, 3] uint8
    label_ids: np.ndarray  # [N] uint32
    confidence: np.ndarray  # [N] float32

    @classmethod
    def empty(cls) -> CloudPoints:
        """No points."""
        zero = np.zeros(0, np.float32)
        return cls(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8), np.zeros(0, np.uint32), zero)


class RecordedMesh:
    """The mesh's blocks: key -> triangle corners [3T, 3] float32 metres, three after three."""

    def __init__(self) -> None:
        self._blocks: dict[Hashable, np.ndarray] = {}

    def update(self, changed: Mapping[Hashable, np.ndarray], removed: Iterable[Hashable], clear: bool = False) -> None:
        """Replace changed blocks and take away removed ones, all of them first where `clear`."""
        if clear:
            self._blocks.clear()
        self._blocks.update(changed)
        for key in removed:
            self._blocks.pop(key, None)

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def triangles(self) -> int:
        """How many triangles all blocks have."""
        return sum(map(len, self._blocks.values())) // 3

    def corners(self) -> np.ndarray:
        """Triangle corners of all blocks, [3T, 3] float32."""
        return np.concatenate([np.zeros((0, 3), np.float32), *self._blocks.values()])


def coverage(corners: np.ndarray, cloud: CloudPoints) -> float:
    """Share of the cloud's points that are vertices of the mesh; 1 for an empty cloud."""
    if not len(cloud.points):
        return 1.0
    return float(np.isin(_keys(cloud.points), _keys(corners)).mean())


def recorded_surface(corners: np.ndarray, cloud: CloudPoints, labels: LabelSet) -> Surface:
    """Weld triangles (corners [3T, 3]) and cloud into one surface whose owned vertices are the cloud's points.

    Equal positions become one vertex. A vertex that the cloud does not have takes label and
    colour of a cloud point within 5 cm, else it is unlabelled and grey.
    """
    positions = np.concatenate([corners, cloud.points]).astype(np.float32)
    if not len(positions):
        return Surface.empty()
    _, first, inverse = np.unique(_keys(positions), return_index=True, return_inverse=True)
    vertices = positions[first]
    triangles = inverse[: len(corners)].reshape(-1, 3)
    a, b, c = triangles.T
    faces = triangles[(a != b) & (b != c) & (c != a)]
    point_of = np.full(len(vertices), -1)  # cloud point of each vertex
    point_of[inverse[len(corners) :]] = np.arange(len(cloud.points))
    owned = point_of >= 0
    _adopt_neighbours(vertices, point_of, cloud.points)
    known = point_of >= 0
    at = point_of[known]
    colors = np.full((len(vertices), 3), _GREY, np.uint8)
    index = np.full(len(vertices), UNLABELLED_INDEX, np.int16)
    confidence = np.zeros(len(vertices), np.float32)
    colors[known], confidence[known] = cloud.colors[at], cloud.confidence[at]
    index[known] = labels.to_index(cloud.label_ids[at])
    normals = _vertex_normals(vertices, faces)
    return Surface(vertices, normals, colors, index, confidence, faces.astype(np.int32), owned)


def _keys(points: np.ndarray) -> np.ndarray:
    """One comparable value per position [N, 3] float32: its bits (with -0 as 0)."""
    bits = np.ascontiguousarray(points + np.float32(0), dtype=np.float32)
    return bits.view(np.dtype((np.void, 12))).reshape(-1)


def _adopt_neighbours(vertices: np.ndarray, point_of: np.ndarray, points: np.ndarray) -> None:
    """Fill in the nearest cloud point of the vertices that are not cloud points, within _NEAR_M."""
    lost = np.flatnonzero(point_of < 0)
    if len(lost) and len(points):
        distance, nearest = cKDTree(points).query(vertices[lost], distance_upper_bound=_NEAR_M)
        found = np.isfinite(distance)
        point_of[lost[found]] = nearest[found]


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted mean of the normals of a vertex's faces, [V, 3] float32 unit; zero where it has none."""
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    weighted = np.cross(b - a, c - a)
    normals = np.zeros((len(vertices), 3))
    for axis in range(3):
        values = np.repeat(weighted[:, axis], 3)
        normals[:, axis] = np.bincount(faces.reshape(-1), values, minlength=len(vertices))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-30), 0).astype(np.float32)
