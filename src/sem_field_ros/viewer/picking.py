"""What a click hits: the ray through the pixel against the points and triangles that are drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sem_field_ros.viewer.mesh_chunks import ChunkMesh

_CONE = float(np.tan(np.radians(0.4)))  # a click this far beside a point still means it; some five pixels
_SAME_DEPTH = 0.02  # points of nearly the same distance, as a share of it: the one nearest to the ray counts
_EPSILON = 1e-9


@dataclass(frozen=True)
class Ray:
    """From `origin` [3] along the unit vector `direction` [3], float64, metres, map frame."""

    origin: np.ndarray
    direction: np.ndarray

    @classmethod
    def through(cls, origin: Iterable[float], direction: Iterable[float]) -> Ray:
        """The ray from a position in a direction of any length but zero."""
        vector = np.array(list(direction), dtype=np.float64)
        return cls(np.array(list(origin), dtype=np.float64), vector / np.linalg.norm(vector))


@dataclass(frozen=True)
class Hit:
    """What a ray meets first: `position` [3] of the hit point or vertex, `distance` along the ray, metres."""

    position: np.ndarray
    distance: float


def pick_point(ray: Ray, points: np.ndarray, radius_m: float) -> Hit | None:
    """The point of points [N, 3] under a click, None where there is none.

    A point counts if the ray passes within `radius_m`, the size it is drawn in, or within a narrow cone around the
    ray. Of those the nearest to the viewer counts, and among points of the same distance the nearest to the ray.
    """
    offset = points.astype(np.float64) - ray.origin
    along = offset @ ray.direction
    beside = np.sqrt(np.maximum((offset**2).sum(axis=1) - along**2, 0.0))
    near = np.flatnonzero((along > _EPSILON) & (beside <= np.maximum(radius_m, _CONE * along)))
    if len(near) == 0:
        return None
    first = along[near].min()
    front = near[along[near] <= first + max(2 * radius_m, _SAME_DEPTH * first)]
    best = front[(beside[front] / along[front]).argmin()]
    return Hit(points[best].astype(np.float64), float(along[best]))


def pick_mesh(ray: Ray, meshes: Iterable[ChunkMesh]) -> Hit | None:
    """The first triangle of some meshes that faces the ray: its corner nearest to where the ray meets it.

    Triangles seen from behind are transparent in the scene, so a click passes through them.
    """
    best: Hit | None = None
    for mesh in meshes:
        if not _meets_box(ray, mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)):
            continue
        hit = _first_triangle(ray, mesh)
        if hit is not None and (best is None or hit.distance < best.distance):
            best = hit
    return best


def nearest(first: Hit | None, second: Hit | None) -> Hit | None:
    """The hit that hides the other."""
    hits = [hit for hit in (first, second) if hit is not None]
    return min(hits, key=lambda hit: hit.distance) if hits else None


def _meets_box(ray: Ray, low: np.ndarray, high: np.ndarray) -> bool:
    """Slab test against an axis-aligned box."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - ray.origin) / ray.direction, (high - ray.origin) / ray.direction
    enters = np.nanmax(np.minimum(a, b), initial=0.0)  # NaN: the ray runs within a face of the box
    leaves = np.nanmin(np.maximum(a, b), initial=np.inf)
    return bool(enters <= leaves + _EPSILON)


def _first_triangle(ray: Ray, mesh: ChunkMesh) -> Hit | None:
    """Möller-Trumbore over all triangles of a mesh, those that face away left out."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)  # [F, 3, 3]
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(ray.direction, ac)
    determinant = (ab * p).sum(axis=1)  # positive for triangles that face the ray
    scale = np.where(determinant > 0, determinant, np.inf)
    s = ray.origin - a
    q = np.cross(s, ab)
    u, v, t = (s * p).sum(axis=1) / scale, q @ ray.direction / scale, (ac * q).sum(axis=1) / scale
    met = np.flatnonzero((determinant > 0) & (u >= -_EPSILON) & (v >= -_EPSILON) & (u + v <= 1 + _EPSILON) & (t > 0))
    if len(met) == 0:
        return None
    triangle = met[t[met].argmin()]
    distance = float(t[triangle])
    corner = np.linalg.norm(corners[triangle] - (ray.origin + distance * ray.direction), axis=1).argmin()
    return Hit(corners[triangle, corner], distance)
