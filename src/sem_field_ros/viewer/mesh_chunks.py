"""The live mesh: block meshes by key, gathered in chunks so that a change redraws only its neighbourhood.

The mesh topic carries positions and colours. Labels, camera colours and confidence of its vertices are looked up in
the semantic cloud, whose points are the same vertices; if the two differ for a moment, the nearest point counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sem_field_ros.viewer.legend import Legend
from sem_field_ros.viewer.points import DisplaySettings, LabelledPoints, colors, visible

Chunk = tuple[int, int, int]

_CHUNK_M = 2.0
SAME_M = 0.00025  # vertices closer than this are one
_NEAR_M = 0.06  # a vertex that moved since the cloud was published takes the attributes of a point this near
_SHIFTS = 0.5 * _NEAR_M * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)]).astype(np.float32)
_AXIS_BITS = 21  # x, y, z share 63 bits: coordinates repeat after 524 m of weld steps, far beyond a chunk
_LIGHT = np.array([0.28, 0.42, 0.86], dtype=np.float32)  # from above and a little from the side: walls differ


@dataclass(frozen=True)
class Triangles:
    """One block: corners [3T, 3] float32 metres, three after three; their colours [3T, 3] uint8."""

    corners: np.ndarray
    colors: np.ndarray

    def __len__(self) -> int:
        return len(self.corners) // 3


@dataclass(frozen=True)
class ChunkMesh:
    """The drawn mesh of a chunk: vertices [V, 3] float32, colours [V, 3] uint8, faces [F, 3] int32."""

    vertices: np.ndarray
    colors: np.ndarray
    faces: np.ndarray


class PointLookup:
    """Finds the cloud point at or near a position."""

    def __init__(self, cloud: LabelledPoints) -> None:
        self.cloud = cloud
        self._exact = _SortedKeys(position_keys(cloud.points, SAME_M))
        self._near = _SortedKeys(position_keys(cloud.points, _NEAR_M))

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """Vertices [V, 3] -> index [V] int64 of a cloud point, -1 if there is none near."""
        index = self._exact.find(position_keys(vertices, SAME_M))
        for shift in _SHIFTS:  # a cell border may lie between the two
            missing = np.flatnonzero(index < 0)
            if not len(missing):
                break
            index[missing] = self._near.find(position_keys(vertices[missing] + shift, _NEAR_M))
        return index


class _SortedKeys:
    def __init__(self, keys: np.ndarray) -> None:
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def find(self, wanted: np.ndarray) -> np.ndarray:
        if not len(self._keys):
            return np.full(len(wanted), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted, self._order[at], -1)


class MeshChunks:
    """Blocks by key, and which chunks have changed."""

    def __init__(self, chunk_m: float = _CHUNK_M) -> None:
        self._chunk_m = chunk_m
        self._blocks: dict[Hashable, Triangles] = {}
        self._chunk_of: dict[Hashable, Chunk] = {}
        self._members: dict[Chunk, dict[Hashable, None]] = {}
        self._dirty: set[Chunk] = set()
        self.triangles = 0

    def update(self, changed: Mapping[Hashable, Triangles], removed: Iterable[Hashable] = ()) -> None:
        """Take in new or changed blocks and forget removed ones."""
        for key in removed:
            self._drop(key)
        for key, block in changed.items():
            if _same(block, self._blocks.get(key)):  # sent again for new subscribers
                continue
            self._drop(key)
            if len(block):
                self._put(key, block)

    def clear(self) -> None:
        """Forget every block."""
        self.update({}, list(self._blocks))

    def chunks(self) -> list[Chunk]:
        """Every chunk that holds a block."""
        return list(self._members)

    def take_dirty(self) -> set[Chunk]:
        """Chunks that changed since the last call; some may be empty now."""
        dirty, self._dirty = self._dirty, set()
        return dirty

    def triangles_of(self, chunk: Chunk, limit: int) -> Triangles:
        """The triangles of a chunk's blocks, at most `limit` of them."""
        blocks = [self._blocks[key] for key in self._members.get(chunk, ())]
        if not blocks or limit <= 0:
            return Triangles(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
        corners = np.concatenate([b.corners for b in blocks])[: 3 * limit]
        return Triangles(corners, np.concatenate([b.colors for b in blocks])[: 3 * limit])

    def sample(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """About `count` triangles as centres [N, 3], unit normals [N, 3] and areas [N], square metres."""
        step = max(1, self.triangles // count)
        some = [b.corners.reshape(-1, 3, 3)[i % step :: step] for i, b in enumerate(self._blocks.values())]
        a, b, c = np.moveaxis(np.concatenate(some).astype(np.float64), 1, 0)
        normals = np.cross(b - a, c - a)
        length = np.linalg.norm(normals, axis=1)
        return (a + b + c) / 3, normals / np.maximum(length, 1e-12)[:, None], length / 2

    def _put(self, key: Hashable, block: Triangles) -> None:
        centre = block.corners[:: max(1, len(block.corners) // 16)].mean(axis=0) / self._chunk_m
        chunk = (int(np.floor(centre[0])), int(np.floor(centre[1])), int(np.floor(centre[2])))
        self._blocks[key] = block
        self._chunk_of[key] = chunk
        self._members.setdefault(chunk, {})[key] = None
        self._dirty.add(chunk)
        self.triangles += len(block)

    def _drop(self, key: Hashable) -> None:
        block = self._blocks.pop(key, None)
        if block is None:
            return
        chunk = self._chunk_of.pop(key)
        del self._members[chunk][key]
        if not self._members[chunk]:
            del self._members[chunk]
        self._dirty.add(chunk)
        self.triangles -= len(block)


def _same(block: Triangles, other: Triangles | None) -> bool:
    return (
        other is not None
        and np.array_equal(block.corners, other.corners)
        and np.array_equal(block.colors, other.colors)
    )


def build_chunk(
    triangles: Triangles, lookup: PointLookup, legend: Legend, display: DisplaySettings
) -> ChunkMesh | None:
    """Weld a chunk's blocks, look up their vertices in the cloud, hide and colour; None if nothing is left.

    A triangle is shown if all of its vertices are.
    """
    keys = position_keys(triangles.corners, SAME_M)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    vertices, faces = triangles.corners[first], inverse.reshape(-1, 3).astype(np.int32)
    described = _describe(vertices, triangles.colors[first], lookup, legend)
    shade = _shade(vertices, faces)
    faces = faces[visible(described, display)[faces].all(axis=1)]
    if not len(faces):
        return None
    used, renumbered = np.unique(faces, return_inverse=True)
    drawn = colors(described.take(used), display, legend)
    if display.color_by != "rgb":  # camera colours are lit already
        drawn = (drawn * shade[used, None]).astype(np.uint8)
    return ChunkMesh(vertices[used], drawn, renumbered.reshape(-1, 3).astype(np.int32))


def position_keys(points: np.ndarray, step: float) -> np.ndarray:
    """Points [N, 3] -> one int64 [N] each: equal for positions in the same cell of a grid of `step` metres."""
    cells = np.floor(np.asarray(points, dtype=np.float64) / step + 0.5).astype(np.int64) & ((1 << _AXIS_BITS) - 1)
    return (cells[:, 0] << (2 * _AXIS_BITS)) | (cells[:, 1] << _AXIS_BITS) | cells[:, 2]


def _describe(vertices: np.ndarray, own: np.ndarray, lookup: PointLookup, legend: Legend) -> LabelledPoints:
    """Label, camera colour and confidence of mesh vertices from the cloud, or from their own colour."""
    index = lookup(vertices)
    lost = index < 0
    if len(lookup.cloud):
        found = lookup.cloud.take(np.maximum(index, 0))
        rgb, ids, confidence = found.rgb.copy(), found.label_ids.copy(), found.confidence.copy()
    else:
        rgb, ids = own.copy(), np.zeros(len(own), np.int32)
        confidence = np.ones(len(own), np.float32)
    rgb[lost] = own[lost]
    ids[lost] = legend.ids_of(own[lost])
    confidence[lost] = 1.0
    return LabelledPoints(vertices, rgb, ids, confidence)


def _shade(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Brightness [V] of a matt surface under one soft light, 0.6 .. 1."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)  # its length weighs by area
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normal[:, i], 3), minlength=len(vertices)) for i in range(3)], axis=1
    )
    total = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return np.clip(0.8 + 0.2 * (total @ _LIGHT), 0.6, 1.0).astype(np.float32)
