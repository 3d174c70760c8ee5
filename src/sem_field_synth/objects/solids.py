"""Watertight solids for furniture: lofts through rings of points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_BEVEL_STEPS = 3


@dataclass(frozen=True)
class Solid:
    """A closed triangle mesh: vertices [V, 3] float64, faces [F, 3] int64, counter-clockwise seen from outside."""

    vertices: np.ndarray
    faces: np.ndarray

    def mapped(self, change: Callable[[np.ndarray], np.ndarray]) -> Solid:
        """The solid with `change` (points [V, 3] -> [V, 3]) applied; faces stay outward even if it mirrors."""
        return _outward(np.asarray(change(self.vertices), dtype=np.float64), self.faces)

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Solid:
        """The solid moved by (x, y, z)."""
        return Solid(self.vertices + np.array([x, y, z]), self.faces)

    def turned(self, degrees: float, axis: str = "z") -> Solid:
        """The solid turned about an axis through the origin, counter-clockwise seen against it."""
        a, i = np.radians(degrees), "xyz".index(axis)
        j, k = (i + 1) % 3, (i + 2) % 3
        R = np.eye(3)
        R[j, j] = R[k, k] = np.cos(a)
        R[j, k], R[k, j] = -np.sin(a), np.sin(a)
        return Solid(self.vertices @ R.T, self.faces)


def loft(rings: np.ndarray, closed: bool = False) -> Solid:
    """Join rings [R, N, 3] of points one to the next and cap both ends (or the last to the first: `closed`).

    The end rings must be star-shaped about their mean: each cap is a fan about it.
    """
    rings = np.asarray(rings, dtype=np.float64)
    count, size = rings.shape[:2]
    at = np.arange(count * size).reshape(count, size)
    start = at if closed else at[:-1]
    end = np.roll(at, -1, axis=0) if closed else at[1:]
    a, b, c, d = start, np.roll(start, -1, axis=1), np.roll(end, -1, axis=1), end
    sides = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    vertices = rings.reshape(-1, 3)
    if closed:
        return _outward(vertices, sides)
    first, last = count * size, count * size + 1
    bottom = np.stack([np.full(size, first), np.roll(at[0], -1), at[0]], -1)
    top = np.stack([np.full(size, last), at[-1], np.roll(at[-1], -1)], -1)
    vertices = np.concatenate([vertices, rings[0].mean(0)[None], rings[-1].mean(0)[None]])
    return _outward(vertices, np.concatenate([sides, bottom, top]))


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume within a closed mesh; negative where its faces look inwards."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def rounded_rectangle(width: float, depth: float, radius: float = 0.0, steps: int = 5) -> np.ndarray:
    """Outline [N, 2] about the origin, counter-clockwise; `radius` is cut to what fits."""
    radius = min(max(radius, 1e-4), 0.499 * min(width, depth))
    quarter = np.linspace(0, np.pi / 2, steps)
    arc = radius * np.stack([np.cos(quarter), np.sin(quarter)], -1)
    corners = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    parts = []
    for turn, (sx, sy) in enumerate(corners):
        c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][turn]
        center = np.array([sx * (width / 2 - radius), sy * (depth / 2 - radius)])
        parts.append(center + np.stack([c * arc[:, 0] - s * arc[:, 1], s * arc[:, 0] + c * arc[:, 1]], -1))
    return np.concatenate(parts)


def superellipse(width: float, depth: float, exponent: float = 2.0, count: int = 40) -> np.ndarray:
    """Outline [N, 2]: exponent 2 is an ellipse, larger ones come close to a rectangle."""
    angle = np.arange(count) * 2 * np.pi / count
    c, s = np.cos(angle), np.sin(angle)
    scale = (np.abs(c) ** exponent + np.abs(s) ** exponent) ** (-1 / exponent)
    return np.stack([scale * c * width / 2, scale * s * depth / 2], -1)


def polygon(count: int, radius: float, phase_deg: float = 0.0) -> np.ndarray:
    """A regular outline [count, 2]."""
    angle = np.radians(phase_deg) + np.arange(count) * 2 * np.pi / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def tapered(outline: np.ndarray, back_share: float) -> np.ndarray:
    """The outline narrowed (or widened) linearly from the front (-y, as is) to the back (+y, times `back_share`)."""
    low, high = outline[:, 1].min(), outline[:, 1].max()
    share = (outline[:, 1] - low) / (high - low)
    return np.stack([outline[:, 0] * (1 + share * (back_share - 1)), outline[:, 1]], -1)


def slab(outline: np.ndarray, thickness: float, bevel: float = 0.0, crown: float = 0.0) -> Solid:
    """A plate over `outline` [N, 2] from z = 0 to `thickness`, edges rounded by `bevel`, top raised by `crown`."""
    half = np.abs(outline).max(0)
    bevel = min(bevel, 0.49 * thickness, 0.45 * float(half.min()))
    rings = []

    def add(inset: float, z: float) -> None:
        rings.append(np.column_stack([outline * (1 - inset / half), np.full(len(outline), z)]))

    angles = np.linspace(0, np.pi / 2, _BEVEL_STEPS + 1) if bevel > 0 else np.zeros(1)
    for a in angles:
        add(bevel * (1 - np.sin(a)), bevel * (1 - np.cos(a)))
    for a in angles[::-1]:
        add(bevel * (1 - np.sin(a)), thickness - bevel * (1 - np.cos(a)))
    if crown:
        top = outline * (1 - bevel / half)
        for s in (0.85, 0.65, 0.4, 0.15):
            rings.append(np.column_stack([top * s, np.full(len(top), thickness + crown * (1 - s * s))]))
    return loft(np.array(rings))


def box(size: Sequence[float], center: Sequence[float], radius: float = 0.0) -> Solid:
    """A box of `size` (x, y, z) about `center`, its edges rounded by `radius`."""
    width, depth, height = size
    body = slab(rounded_rectangle(width, depth, radius, 4 if radius > 0.004 else 2), height, radius)
    return body.moved(center[0], center[1], center[2] - height / 2)


def bar(
    start: ArrayLike,
    end: ArrayLike,
    section: np.ndarray,
    end_section: np.ndarray | None = None,
    up: ArrayLike = (0.0, 1.0, 0.0),
) -> Solid:
    """A straight bar from `start` to `end` with sections [N, 2]; their second axis lies towards `up`."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    return sweep(np.stack([a, b]), section, [1.0, 1.0], up, end_section)


def sweep(
    path: np.ndarray,
    section: np.ndarray,
    scale: ArrayLike = 1.0,
    up: ArrayLike = (0.0, 0.0, 1.0),
    end_section: np.ndarray | None = None,
    closed: bool = False,
) -> Solid:
    """A section [N, 2] drawn along a path [P, 3]; `scale` a point of it; the section's second axis follows `up`.

    Frames are carried along without twist; `end_section` (same count) is reached linearly at the end.
    """
    path = np.asarray(path, dtype=np.float64)
    if closed:
        tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    else:
        tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    scales = np.broadcast_to(np.asarray(scale, float), len(path))
    second = np.asarray(up, dtype=np.float64)
    if abs(second @ tangent[0]) > 0.95:
        second = np.array([0.0, 1.0, 0.0]) if abs(tangent[0, 1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    rings = []
    for i, (point, along) in enumerate(zip(path, tangent, strict=True)):
        second = second - (second @ along) * along
        second /= np.linalg.norm(second)
        first = np.cross(second, along)
        share = i / max(len(path) - 1, 1)
        flat = section if end_section is None else (1 - share) * section + share * end_section
        rings.append(point + scales[i] * (flat[:, :1] * first + flat[:, 1:] * second))
    return loft(np.array(rings), closed)


def tube(path: ArrayLike, radius: float, closed: bool = False, sides: int = 10) -> Solid:
    """A round tube along a path [P, 3]."""
    return sweep(np.asarray(path, float), polygon(sides, radius), closed=closed)


def rounded_path(points: ArrayLike, radius: float, closed: bool = False, steps: int = 5) -> np.ndarray:
    """A polyline with its corners replaced by arcs that start `radius` before them, [P, 3]."""
    corners = np.asarray(points, dtype=np.float64)
    count = len(corners)
    path: list[np.ndarray] = [] if closed else [corners[0]]
    for i in range(count) if closed else range(1, count - 1):
        before, at, after = corners[i - 1], corners[i], corners[(i + 1) % count]
        reach = min(radius, 0.45 * np.linalg.norm(before - at), 0.45 * np.linalg.norm(after - at))
        a = at + (before - at) * reach / np.linalg.norm(before - at)
        c = at + (after - at) * reach / np.linalg.norm(after - at)
        t = np.linspace(0, 1, steps)[:, None]
        path.extend((1 - t) ** 2 * a + 2 * t * (1 - t) * at + t**2 * c)
    return np.array(path if closed else [*path, corners[-1]])


def lathe(profile: Sequence[Sequence[float]], sides: int = 24) -> Solid:
    """A solid of revolution about z through (radius, z) points, radii above 0."""
    circle = polygon(sides, 1.0)
    return loft(np.array([np.column_stack([circle * r, np.full(sides, z)]) for r, z in profile]))


def _outward(vertices: np.ndarray, faces: np.ndarray) -> Solid:
    return Solid(vertices, faces if volume(vertices - vertices.mean(0), faces) >= 0 else faces[:, ::-1].copy())
