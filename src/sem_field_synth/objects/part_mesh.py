"""PartMesh: an object's triangles, each with its part and surface; made of solids, normalised, cut, sampled.

Canonical frame of every object: z up, the front towards -y, x to the left of a person sitting in the chair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sem_field_ros.labels import LabelSet
from sem_field_synth.objects.solids import Solid
from sem_field_synth.objects.surfaces import Surface

RADIUS = 0.5  # of the smallest sphere about the origin that holds a normalised object
_CREASE_COS = 0.7  # faces that meet at more than 45 degrees are not smoothed into each other
_MAX_CUTS = 40
_ARRAYS = ("corners", "normals", "texture", "part", "surface", "solid")


@dataclass(frozen=True)
class PartMesh:
    """Triangles of one object.

    corners  [T, 3, 3] float64                     normals  [T, 3, 3] float32 unit, outwards
    texture  [T, 3, 3] float32: u, v and 0 for images, else metres with the grain along the third axis
    part     [T] int16 class index of the label set        surface  [T] int32 into `surfaces`
    solid    [T] int32 which closed solid (or group of a file) a triangle belongs to
    metres   length of one unit in metres (1 before `normalised`)
    """

    corners: np.ndarray
    normals: np.ndarray
    texture: np.ndarray
    part: np.ndarray
    surface: np.ndarray
    solid: np.ndarray
    surfaces: tuple[Surface, ...]
    metres: float = 1.0

    def __len__(self) -> int:
        return len(self.corners)

    def take(self, index: np.ndarray) -> PartMesh:
        """The mesh of some triangles only ([T] bool, or indices)."""
        arrays: dict[str, Any] = {name: getattr(self, name)[index] for name in _ARRAYS}
        return replace(self, **arrays)

    @property
    def size(self) -> np.ndarray:
        """Extent along x, y, z in metres, [3]."""
        points = self.corners.reshape(-1, 3)
        return (points.max(0) - points.min(0)) * self.metres

    def normalised(self) -> PartMesh:
        """Centred on its bounding box and scaled so that its farthest point lies RADIUS from the origin."""
        points = self.corners.reshape(-1, 3)
        center = (points.min(0) + points.max(0)) / 2
        scale = RADIUS / np.linalg.norm(points - center, axis=1).max()
        return replace(self, corners=(self.corners - center) * scale, metres=self.metres / scale)

    def on_floor(self) -> PartMesh:
        """Moved so that its lowest point lies at z = 0."""
        return replace(self, corners=self.corners - [0, 0, self.corners[..., 2].min()])

    def refined(self, longest_edge: float) -> PartMesh:
        """Triangles halved at their longest edge until none is longer."""
        done: list[PartMesh] = []
        rest = self
        for _ in range(_MAX_CUTS):
            edges = np.linalg.norm(rest.corners - np.roll(rest.corners, -1, axis=1), axis=2)
            longest = edges.max(1)
            done.append(rest.take(np.flatnonzero(longest <= longest_edge)))
            long = np.flatnonzero(longest > longest_edge)
            rest = rest.take(long)
            if len(rest) == 0:
                break
            rest = _halved(rest, edges[long].argmax(1), np.full(len(rest), 0.5))
        return joined([*done, rest])

    def cut(self, axis: int, at: float) -> PartMesh:
        """Triangles that cross the plane `axis` = `at` are cut along it."""
        mesh = self
        for _ in range(2):  # a triangle crosses with two edges; the first cut leaves one that crosses with one
            side = mesh.corners[:, :, axis] - at
            after = np.roll(side, -1, axis=1)
            crosses = (side * after < 0) & (np.minimum(np.abs(side), np.abs(after)) > 1e-9)
            rows = np.flatnonzero(crosses.any(1))
            if len(rows) == 0:
                break
            edge = crosses[rows].argmax(1)
            start, end = side[rows, edge], after[rows, edge]
            whole = np.flatnonzero(~crosses.any(1))
            mesh = joined([mesh.take(whole), _halved(mesh.take(rows), edge, start / (start - end))])
        return mesh

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Points spread evenly over the area: positions [N, 3], normals [N, 3], part [N], triangle [N]."""
        area = np.linalg.norm(
            np.cross(self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0]), axis=1
        )
        steps = (np.arange(count) + rng.uniform(size=count)) / count  # stratified: no part is missed by chance
        edges = np.cumsum(area)
        triangle = np.minimum(np.searchsorted(edges, steps * edges[-1]), len(area) - 1)
        r = np.sqrt(rng.uniform(size=count))
        s = rng.uniform(size=count)
        weight = np.stack([1 - r, r * (1 - s), r * s], -1)[:, :, None]
        normal = (self.normals[triangle] * weight).sum(1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        return (self.corners[triangle] * weight).sum(1), normal, self.part[triangle], triangle


def _halved(mesh: PartMesh, edge: np.ndarray, share: np.ndarray) -> PartMesh:
    """Each triangle cut in two from the point at `share` of its edge number `edge` to the opposite corner."""
    order = (edge[:, None] + np.arange(3)) % 3
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    for name in ("corners", "normals", "texture"):
        values = getattr(mesh, name)
        a, b, c = np.moveaxis(np.take_along_axis(values, order[:, :, None], axis=1), 1, 0)
        middle = a + share[:, None].astype(values.dtype) * (b - a)
        if name == "normals":
            middle /= np.maximum(np.linalg.norm(middle, axis=1, keepdims=True), 1e-9)
        first[name], second[name] = np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)
    return joined([replace(mesh, **first), replace(mesh, **second)])


def joined(meshes: Iterable[PartMesh]) -> PartMesh:
    """Triangles of meshes that share one list of surfaces."""
    meshes = list(meshes)
    arrays: dict[str, Any] = {name: np.concatenate([getattr(m, name) for m in meshes]) for name in _ARRAYS}
    return replace(meshes[0], **arrays)


def corner_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Corner normals [F, 3, 3] float32: the mean of the faces at the vertex that bend away by less than the crease."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    weighted = np.cross(b - a, c - a)
    unit = weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-15)
    corner = faces.reshape(-1)
    order = np.argsort(corner, kind="stable")
    start = np.searchsorted(corner[order], np.arange(len(vertices)))
    count = np.bincount(corner, minlength=len(vertices))
    own = np.repeat(np.arange(len(corner)), count[corner])  # corner k meets every corner at the same vertex
    first = np.cumsum(count[corner]) - count[corner]
    other = order[start[corner[own]] + np.arange(len(own)) - first[own]]
    near = (unit[own // 3] * unit[other // 3]).sum(1) > _CREASE_COS
    total = np.zeros((len(corner), 3))
    for axis in range(3):
        total[:, axis] = np.bincount(own[near], weighted[other[near] // 3, axis], len(corner))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals = np.where(length > 1e-15, total / np.maximum(length, 1e-15), np.repeat(unit, 3, axis=0))
    return normals.reshape(-1, 3, 3).astype(np.float32)


@dataclass
class PartBuilder:
    """Collects solids with their part and surface; `build` gives the mesh in metres."""

    labels: LabelSet
    solids: list[tuple[Solid, str, Surface]] = field(default_factory=list)

    def add(self, part: str, surface: Surface, *solids: Solid) -> None:
        """Add solids of one part."""
        self.labels.index_of(part)  # raises if there is no such part
        self.solids.extend((solid, part, surface) for solid in solids)

    def build(self) -> PartMesh:
        """The mesh of everything added."""
        surfaces = tuple(dict.fromkeys(surface for _, _, surface in self.solids))
        number = {surface: i for i, surface in enumerate(surfaces)}
        meshes = []
        for i, (solid, part, surface) in enumerate(self.solids):
            count = len(solid.faces)
            corners = solid.vertices[solid.faces]
            meshes.append(
                PartMesh(
                    corners,
                    corner_normals(solid.vertices, solid.faces),
                    along_grain(corners, i),
                    np.full(count, self.labels.index_of(part), np.int16),
                    np.full(count, number[surface], np.int32),
                    np.full(count, i, np.int32),
                    surfaces,
                )
            )
        return joined(meshes)


def along_grain(corners: np.ndarray, shift: int = 0) -> np.ndarray:
    """Texture coordinates [T, 3, 3] in metres: the longest extent becomes the third axis; every board differs."""
    points = corners.reshape(-1, 3)
    axis = int(np.ptp(points, axis=0).argmax())
    turned = np.roll(corners, 2 - axis, axis=-1)
    return (turned + 0.37 * shift).astype(np.float32)
