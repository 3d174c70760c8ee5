"""Cuts polygons in space into triangles: fans where they are convex, ear clipping where they are not."""

from __future__ import annotations

import numpy as np


def triangulate(points: np.ndarray, polygons: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of polygons whose corners are indices into `points` [V, 3].

    Returns (corners [T, 3], places in the polygons laid end to end; owner [T], the polygon each came from).
    """
    corners: list[tuple[int, int, int]] = []
    owner: list[int] = []
    start = 0
    for number, polygon in enumerate(polygons):
        count = len(polygon)
        if count == 3:
            corners.append((start, start + 1, start + 2))
            owner.append(number)
        elif count > 3:
            cut = _cut(points[polygon])
            corners.extend((start + a, start + b, start + c) for a, b, c in cut)
            owner.extend([number] * len(cut))
        start += count
    return np.array(corners, dtype=np.int64).reshape(-1, 3), np.array(owner, dtype=np.int64)


def _cut(points: np.ndarray) -> list[tuple[int, int, int]]:
    flat = _flatten(points)
    count = len(flat)
    fan = [(0, i, i + 1) for i in range(1, count - 1)]
    if all(_turn(flat[i - 2], flat[i - 1], flat[i]) >= -1e-12 for i in range(count)):
        return fan
    return _clip_ears(flat) or fan


def _flatten(points: np.ndarray) -> list[tuple[float, float]]:
    """Project onto the plane of Newell's normal, counter-clockwise."""
    ahead = np.roll(points, -1, axis=0)
    normal = np.cross(points - points[0], ahead - points[0]).sum(axis=0)
    drop = int(np.abs(normal).argmax())
    first, second = ((1, 2), (2, 0), (0, 1))[drop]
    if normal[drop] < 0:
        first, second = second, first
    return [(float(x), float(y)) for x, y in points[:, (first, second)]]


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _clip_ears(flat: list[tuple[float, float]]) -> list[tuple[int, int, int]]:
    """Triangles of a simple polygon; empty where it crosses itself."""
    rest = list(range(len(flat)))
    triangles: list[tuple[int, int, int]] = []
    while len(rest) > 3:
        for k in range(len(rest)):
            a, b, c = rest[k - 1], rest[k], rest[(k + 1) % len(rest)]
            if _turn(flat[a], flat[b], flat[c]) <= 0:
                continue
            if any(_inside(flat[p], flat[a], flat[b], flat[c]) for p in rest if p not in (a, b, c)):
                continue
            triangles.append((a, b, c))
            del rest[k]
            break
        else:
            return []
    return [*triangles, (rest[0], rest[1], rest[2])]


def _inside(p: tuple[float, float], a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    if p in (a, b, c):
        return False
    return _turn(a, b, p) >= 0 and _turn(b, c, p) >= 0 and _turn(c, a, p) >= 0
