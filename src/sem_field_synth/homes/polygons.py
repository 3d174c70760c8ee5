"""Cuts polygons in space into triangles: fans where they are convex, ear clipping where they are not."""

from __future__ import annotations

import numpy as np

Point = tuple[float, float]


def triangulate(points: np.ndarray, corners: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of polygons laid end to end: `counts` [P] corners each, `corners` [sum] indices into `points` [V, 3].

    Returns (places in `corners` [T, 3], polygon that each triangle came from [T]), in the polygons' order.
    """
    starts = np.cumsum(counts) - counts
    places, owners = [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int64)]
    for count in np.unique(counts[counts >= 3]):
        which = np.flatnonzero(counts == count)
        fan = [(0, i, i + 1) for i in range(1, count - 1)]
        flat = _flatten(points[corners[starts[which][:, None] + np.arange(count)]])
        convex = _is_convex(flat) if count > 3 else np.ones(len(which), bool)
        whole = which[convex]
        places.append((starts[whole][:, None, None] + np.array(fan)).reshape(-1, 3))
        owners.append(np.repeat(whole, count - 2))
        for number in np.flatnonzero(~convex):
            outline = [(float(x), float(y)) for x, y in flat[number]]
            places.append(starts[which[number]] + np.array(_clip_ears(outline) or fan))
            owners.append(np.full(len(places[-1]), which[number]))
    place, owner = np.concatenate(places), np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return place[order], owner[order]


def _flatten(polygons: np.ndarray) -> np.ndarray:
    """Polygons [P, n, 3] projected along the largest part of their (Newell) normal, counter-clockwise, [P, n, 2]."""
    relative = polygons - polygons[:, :1]
    normal = np.cross(relative, np.roll(relative, -1, axis=1)).sum(axis=1)
    drop = np.abs(normal).argmax(axis=1)
    axes = np.array([[1, 2], [2, 0], [0, 1]])[drop]
    backwards = np.take_along_axis(normal, drop[:, None], axis=1)[:, 0] < 0
    axes[backwards] = axes[backwards][:, ::-1]
    return np.take_along_axis(polygons, axes[:, None, :].repeat(polygons.shape[1], axis=1), axis=2)


def _is_convex(flat: np.ndarray) -> np.ndarray:
    """Whether polygons [P, n, 2] turn left at every corner, [P] bool."""
    before, after = flat - np.roll(flat, 1, axis=1), np.roll(flat, -1, axis=1) - flat
    turn = before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]
    scale = np.abs(turn).max(axis=1, keepdims=True)
    return (turn >= -1e-9 * scale).all(axis=1)


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _clip_ears(flat: list[Point]) -> list[tuple[int, int, int]]:
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


def _inside(p: Point, a: Point, b: Point, c: Point) -> bool:
    if p in (a, b, c):
        return False
    return _turn(a, b, p) >= 0 and _turn(b, c, p) >= 0 and _turn(c, a, p) >= 0
