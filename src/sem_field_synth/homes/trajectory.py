"""A hand-held or robot camera through one room: smooth, clear of everything, looking at furniture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from shapely.geometry.base import BaseGeometry

from sem_field_ros.errors import DataError

CELL = 0.05  # metres of a cell of the free-space grid
CLEARANCE = 0.25  # least distance in metres between the camera and anything
LOOK = 0.6  # least distance in metres to what is in the middle of the image
STEP_DEGREES = 4.0  # resolution of the heading


@dataclass(frozen=True)
class Target:
    """A target for the camera: position [2] and weight."""

    center: np.ndarray
    weight: float


class FreeSpace:
    """Free space for a camera: cells of the room with `clearance` to walls and to things at its height."""

    def __init__(self, room: BaseGeometry, obstacles: list[BaseGeometry], tall: list[BaseGeometry]) -> None:
        low_x, low_y, high_x, high_y = room.bounds
        self.origin = np.array([low_x - 1.0, low_y - 1.0])
        self.shape = (int((high_y - low_y + 2) / CELL) + 1, int((high_x - low_x + 2) / CELL) + 1)
        inside = self._raster([room])
        self.distance = distance_transform_edt(inside & ~self._raster(obstacles)) * CELL
        self.sight = ~self._raster(tall)
        regions, count = label(self.distance >= CLEARANCE + CELL)
        if count == 0:
            raise DataError("no room for a camera between the furniture; choose another seed")
        sizes = np.bincount(regions.ravel())[1:]
        self.free = regions == 1 + int(np.argmax(sizes))

    def _raster(self, shapes: list[BaseGeometry]) -> np.ndarray:
        image = np.zeros(self.shape, np.uint8)
        for shape in shapes:
            for polygon in getattr(shape, "geoms", [shape]):
                if polygon.geom_type != "Polygon":
                    continue
                rings = [polygon.exterior, *polygon.interiors]
                corners = [np.round((shapely.get_coordinates(r) - self.origin) / CELL).astype(np.int32) for r in rings]
                layer = np.zeros(self.shape, np.uint8)
                cv2.fillPoly(layer, corners, (1,))
                image |= layer
        return image.astype(bool)

    def cells(self, points: np.ndarray) -> np.ndarray:
        """World points [..., 2] -> (row, column) [..., 2]."""
        return np.round((points - self.origin) / CELL).astype(int)[..., ::-1]

    def points(self, cells: np.ndarray) -> np.ndarray:
        """(row, column) [..., 2] -> world points [..., 2]."""
        return np.asarray(cells[..., ::-1] * CELL + self.origin)

    def is_free(self, points: np.ndarray) -> np.ndarray:
        """Whether points [N, 2] keep the clearance, [N] bool."""
        cells = np.clip(self.cells(points), 0, np.array(self.shape) - 1)
        return np.asarray(self.distance[cells[:, 0], cells[:, 1]] >= CLEARANCE)

    def sight_lengths(self, point: np.ndarray, headings: np.ndarray, reach: float = 8.0) -> np.ndarray:
        """Metres from a point [2] to the first tall thing along each heading [H], at most `reach`."""
        steps = np.arange(CELL, reach, CELL)
        ways = point + steps[None, :, None] * np.stack([np.cos(headings), np.sin(headings)], axis=-1)[:, None, :]
        cells = np.clip(self.cells(ways), 0, np.array(self.shape) - 1)
        blocked = ~self.sight[cells[..., 0], cells[..., 1]]
        first = np.argmax(blocked, axis=1)
        return np.where(blocked.any(axis=1), steps[first], reach)

    def path(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Points [P, 2] of a short path between two free points that keeps away from things."""
        cells = np.argwhere(self.free)
        number = -np.ones(self.shape, dtype=int)
        number[tuple(cells.T)] = np.arange(len(cells))
        rows, columns, costs = [], [], []
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            other = cells + [dy, dx]
            ok = np.all((other >= 0) & (other < self.shape), axis=1)
            ok[ok] = number[tuple(other[ok].T)] >= 0
            a, b = number[tuple(cells[ok].T)], number[tuple(other[ok].T)]
            near = np.minimum(self.distance[tuple(cells[ok].T)], 0.8)
            rows.append(a)
            columns.append(b)
            costs.append(np.hypot(dy, dx) * (1 + 0.6 / near))
        graph = coo_array(
            (np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=(len(cells),) * 2
        ).tocsr()
        ends = [int(number[tuple(self.cells(p))]) for p in (start, end)]
        _, before = dijkstra(graph, directed=False, indices=ends[0], return_predecessors=True)
        way = [ends[1]]
        while way[-1] != ends[0]:
            if before[way[-1]] < 0:
                raise DataError("no path between two places of the room; choose another seed")
            way.append(int(before[way[-1]]))
        return self.points(cells[way[::-1]])


def camera_positions(space: FreeSpace, count: int, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Positions [count, 2] along a smooth path through the free space, about `spacing` metres apart."""
    cells = np.argwhere(space.free)
    wide = cells[space.distance[tuple(cells.T)] >= np.quantile(space.distance[tuple(cells.T)], 0.3)]
    points = space.points(wide)
    way = points[rng.integers(len(points))][None]
    needed = spacing * (count + 4)
    for _ in range(60):
        length = float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())
        if length >= needed:
            break
        far = np.linalg.norm(points - way[-1], axis=1)
        weights = np.exp(-(((far - 2.2) / 1.2) ** 2)) + 1e-6
        goal = points[rng.choice(len(points), p=weights / weights.sum())]
        way = np.concatenate([way, space.path(way[-1], goal)[1:]])
    if len(way) < 2:
        way = np.repeat(way, 2, axis=0)
    for sigma in (8.0, 5.0, 3.0, 1.5, 0.0):  # as smooth as the clearance allows
        smooth = gaussian_filter1d(way, sigma, axis=0, mode="nearest") if sigma else way
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
        stops = np.linspace(0, min(along[-1], spacing * (count - 1)), count)
        found = np.stack([np.interp(stops, along, smooth[:, k]) for k in (0, 1)], axis=1)
        if space.is_free(found).all():
            return found
    return found


def headings(
    space: FreeSpace,
    positions: np.ndarray,
    targets: list[Target],
    turn: float,
    half_fov: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Heading [N] in radians at every position: the best slow pan, found by dynamic programming.

    A state is a heading and a direction of turning; good ones have targets in view, nothing closer than LOOK in the
    middle, and turn by about `turn` degrees from frame to frame.
    """
    bins = int(360 / STEP_DEGREES)
    angles = np.arange(bins) * 2 * np.pi / bins
    score = np.stack([_views(space, p, angles, targets, half_fov) for p in positions])
    largest = int(np.ceil(2.0 * turn / STEP_DEGREES))
    steps = np.arange(0, largest + 1)
    price = 0.7 * ((steps * STEP_DEGREES - turn) / turn) ** 2
    value = np.stack([score[0], score[0]])  # [direction, bin]
    origin = []
    for frame in range(1, len(positions)):
        best = np.full((2, bins), -np.inf)
        came = np.zeros((2, bins, 2), dtype=int)
        for direction, sign in enumerate((1, -1)):
            for before in (0, 1):
                fee = 0.0 if before == direction else 5.0
                for step, cost in enumerate(price):
                    candidate = np.roll(value[before], sign * step) - cost - fee
                    better = candidate > best[direction]
                    best[direction] = np.where(better, candidate, best[direction])
                    came[direction][better] = np.stack(
                        [np.full(bins, before), (np.arange(bins) - sign * step) % bins], axis=1
                    )[better]
        value = best + score[frame]
        origin.append(came)
    state = divmod(int(np.argmax(value)), bins)
    chosen = [state[1]]
    for came in origin[::-1]:
        state = (int(came[state][0]), int(came[state][1]))
        chosen.append(state[1])
    smooth = np.unwrap(angles[np.array(chosen[::-1])])
    return np.asarray(gaussian_filter1d(smooth, 1.2, mode="nearest") + rng.normal(0, 0.01))


def _views(
    space: FreeSpace, position: np.ndarray, angles: np.ndarray, targets: list[Target], half_fov: float
) -> np.ndarray:
    lengths = space.sight_lengths(position, angles)
    score = np.zeros(len(angles))
    for target in targets:
        offset = target.center - position
        far = float(np.linalg.norm(offset))
        bearing = np.arctan2(offset[1], offset[0])
        visible = np.interp(bearing % (2 * np.pi), angles, lengths) > far - 0.6
        if not visible or far < 0.3:
            continue
        apart = np.abs((angles - bearing + np.pi) % (2 * np.pi) - np.pi)
        score += target.weight * np.clip(1.2 - apart / half_fov, 0, 1) * np.exp(-(((far - 2.0) / 1.8) ** 2))
    score = np.tanh(score / 2.5)
    # the middle third of the picture must not be a wall at arm's length
    window = np.arange(-2, 3)
    middle = np.min([np.roll(lengths, int(k)) for k in window], axis=0)
    score -= np.where(middle < LOOK, 4.0, 0.0) + np.clip(1.4 - middle, 0, 1) * 0.6
    return score


def poses(
    positions: np.ndarray, heading: np.ndarray, handheld: bool, rng: np.random.Generator, height: float, pitch: float
) -> np.ndarray:
    """T_world_camera [N, 4, 4] of optical frames, with the sway of a hand or the small shake of a robot."""
    count = len(positions)

    def sway(amplitude: float, smooth: float) -> np.ndarray:
        wave = gaussian_filter1d(rng.normal(size=count + 40), smooth)[20 : 20 + count]
        return np.asarray(wave / max(float(np.abs(wave).max()), 1e-9) * amplitude * rng.uniform(0.5, 1.0))

    z = height + sway(0.07 if handheld else 0.004, 4)
    down = np.radians(pitch) + sway(np.radians(9 if handheld else 1.0), 5)
    roll = sway(np.radians(2.5 if handheld else 0.4), 3)
    T = np.tile(np.eye(4), (count, 1, 1))
    for i in range(count):
        forward = np.array(
            [np.cos(heading[i]) * np.cos(down[i]), np.sin(heading[i]) * np.cos(down[i]), -np.sin(down[i])]
        )
        right = np.array([np.sin(heading[i]), -np.cos(heading[i]), 0.0])
        below = np.cross(forward, right)
        c, s = np.cos(roll[i]), np.sin(roll[i])
        T[i, :3, 0] = c * right + s * below
        T[i, :3, 1] = -s * right + c * below
        T[i, :3, 2] = forward
        T[i, :3, 3] = [*positions[i], z[i]]
    return T
