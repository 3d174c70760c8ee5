"""Making Panels: boxes, sheets and polygons with outward normals and texture coordinates in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from sem_field_synth.scene import Finish, Panel

_BOX_FACES = (  # corner indices counter-clockwise from outside; corners are bits x=1, y=2, z=4
    (0, 2, 3, 1),
    (4, 5, 7, 6),
    (0, 1, 5, 4),
    (3, 2, 6, 7),
    (2, 0, 4, 6),
    (1, 3, 7, 5),
)


@dataclass
class Surface:
    """Quads and triangles collected for one Panel; `repeat` is the metres one texture repetition covers."""

    repeat: tuple[float, float] = (1.0, 1.0)
    vertices: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    uv: list[np.ndarray] = field(default_factory=list)
    count: int = 0

    def add(self, vertices: np.ndarray, faces: Sequence[Sequence[int]] | np.ndarray, uv_metres: np.ndarray) -> None:
        """Add vertices [V, 3], triangles [F, 3] and their texture coordinates [V, 2] in metres."""
        self.vertices.append(np.asarray(vertices, dtype=np.float64))
        self.faces.append(np.asarray(faces, dtype=np.int64).reshape(-1, 3) + self.count)
        self.uv.append(np.asarray(uv_metres, dtype=np.float64) / np.array(self.repeat))
        self.count += len(vertices)

    def quad(self, corners: np.ndarray) -> None:
        """Add a flat four-sided face: corners [4, 3] counter-clockwise from the visible side."""
        a, b, _, d = corners
        along, up = b - a, d - a
        width, height = float(np.linalg.norm(along)), float(np.linalg.norm(up))
        self.add(corners, [[0, 1, 2], [0, 2, 3]], np.array([[0, 0], [width, 0], [width, height], [0, height]]))

    def box(self, lower: np.ndarray, upper: np.ndarray, T_world_box: np.ndarray | None = None) -> None:
        """Add a box between two corners [3], turned and moved by an optional 4x4 transform."""
        corners = np.array([[(upper if i >> k & 1 else lower)[k] for k in range(3)] for i in range(8)], dtype=float)
        if T_world_box is not None:
            corners = corners @ T_world_box[:3, :3].T + T_world_box[:3, 3]
        for face in _BOX_FACES:
            self.quad(corners[list(face)])

    def flat(self, shape: BaseGeometry, z: float, up: bool = True) -> None:
        """Add a horizontal polygon (with holes) at height z, seen from above (`up`) or from below."""
        for polygon in polygons(shape):
            for triangle in shapely.constrained_delaunay_triangles(polygon).geoms:
                ring = np.array(triangle.exterior.coords)[:3]
                ccw = _signed_area(ring) > 0
                ring = ring if ccw == up else ring[::-1]
                self.add(np.column_stack([ring, np.full(3, z)]), [[0, 1, 2]], ring)

    def panel(self, finish: Finish, nyu40: str, instance: int) -> Panel:
        """The collected faces as a Panel."""
        return Panel(
            np.concatenate(self.vertices), np.concatenate(self.faces), np.concatenate(self.uv), finish, nyu40, instance
        )


def polygons(shape: BaseGeometry) -> list[Polygon]:
    """The polygons of any shape, slivers left out."""
    if isinstance(shape, Polygon):
        return [shape] if shape.area > 1e-6 else []
    if isinstance(shape, MultiPolygon) or hasattr(shape, "geoms"):
        return [p for part in shape.geoms for p in polygons(part)]
    return []


def clean(shape: BaseGeometry) -> BaseGeometry:
    """The same area as valid polygons only: no lines, points or self-crossings."""
    return shapely.union_all(polygons(shapely.make_valid(shape)))


def rectangle(center: np.ndarray, yaw: float, width: float, depth: float) -> Polygon:
    """The footprint of a box: center [2], turned by yaw counter-clockwise."""
    c, s = np.cos(yaw), np.sin(yaw)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, depth / 2]
    return Polygon(corners @ np.array([[c, s], [-s, c]]) + center)


def pose(x: float, y: float, z: float, yaw: float) -> np.ndarray:
    """4x4 transform of an item at (x, y, z), turned by yaw counter-clockwise."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, z], [0, 0, 0, 1.0]])


def _signed_area(ring: np.ndarray) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)
