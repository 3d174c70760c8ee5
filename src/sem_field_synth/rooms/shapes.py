"""Shapes of the synthetic room: boxes, rounded boxes, cylinders and blobs with normals, local texture coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

RGB = tuple[float, float, float]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """How a surface looks. `texture` names a function in room_textures; colours are linear reflectances 0..1."""

    color: RGB
    texture: str = "plain"
    second: RGB = (0.0, 0.0, 0.0)  # the texture's other colour
    scale: float = 1.0  # metres of one texture period
    emission: float = 0.0  # radiance of its own, times the texture's colour


@dataclass(frozen=True)
class Part:
    """A triangle mesh of one material, belonging to one object.

    vertices [V, 3] metres, world   normals [V, 3] unit   local [V, 3] metres, texture coordinates
    faces    [F, 3] int64, counter-clockwise seen from outside
    """

    vertices: np.ndarray
    normals: np.ndarray
    local: np.ndarray
    faces: np.ndarray
    material: Material

    def moved(self, turn_deg: float, offset: Point) -> Part:
        """Return the part turned about z by `turn_deg` degrees, then moved by `offset` metres."""
        a = np.deg2rad(turn_deg)
        R = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        return replace(self, vertices=self.vertices @ R.T + np.asarray(offset), normals=self.normals @ R.T)


# The six faces of a cube: outward normal, and two axes with u x v = normal.
_CUBE_FACES = [
    (sign * np.eye(3)[axis], np.eye(3)[(axis + 1) % 3], sign * np.eye(3)[(axis + 2) % 3])
    for axis in range(3)
    for sign in (1.0, -1.0)
]


def _grid_faces(rows: int, columns: int) -> np.ndarray:
    """Two counter-clockwise triangles a cell of a (rows x columns) vertex grid, [F, 3]."""
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel(), at[:-1, 1:].ravel()
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def _cube(ticks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cube [-1, 1]^3 with each face cut at `ticks`: points [V, 3], face normals [V, 3], faces [F, 3]."""
    n = len(ticks)
    grids = [normal + ticks[:, None, None] * u + ticks[None, :, None] * v for normal, u, v in _CUBE_FACES]
    normals = [np.broadcast_to(normal, (n * n, 3)) for normal, _, _ in _CUBE_FACES]
    faces = [_grid_faces(n, n) + i * n * n for i in range(6)]
    return np.concatenate(grids).reshape(-1, 3), np.concatenate(normals), np.concatenate(faces)


def box(center: Point, size: Point, material: Material, radius: float = 0.0) -> Part:
    """Axis-aligned box, `center` and `size` in metres; `radius` > 0 rounds its edges."""
    half = np.asarray(size, float) / 2
    if radius <= 0:
        points, normals, faces = _cube(np.array([-1.0, 1.0]))
        local = points * half
    else:
        radius = min(radius, 0.98 * float(half.min()))
        points, _, faces = _cube(np.array([-1, -0.9, -0.8, 0.8, 0.9, 1]))
        core = np.clip(points, -0.8, 0.8)  # the inner ticks span the flat faces, the outer ones the rounded rim
        normals = (points - core) / np.linalg.norm(points - core, axis=1, keepdims=True)
        local = core / 0.8 * (half - radius) + radius * normals
    return Part(local + np.asarray(center, float), normals, local, faces, material)


def blob(center: Point, size: Point, material: Material) -> Part:
    """Ellipsoid of diameters `size` around `center`, metres."""
    points, _, faces = _cube(np.tan(np.linspace(-1, 1, 7) * np.pi / 4))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    half = np.asarray(size, float) / 2
    normals = unit / half
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Part(unit * half + np.asarray(center, float), normals, unit * half, faces, material)


def cylinder(
    center: Point, radius: float, height: float, material: Material, top_radius: float | None = None, sides: int = 20
) -> Part:
    """Upright cylinder (a cone stump with `top_radius`) with caps; `center` is its middle, metres."""
    top = radius if top_radius is None else top_radius
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    slope = (radius - top) / height
    side_normal = np.concatenate([ring, np.full((sides + 1, 1), slope)], 1) / np.hypot(1, slope)
    low = np.concatenate([ring * radius, np.full((sides + 1, 1), -height / 2)], 1)
    high = np.concatenate([ring * top, np.full((sides + 1, 1), height / 2)], 1)
    vertices, normals = [low, high], [side_normal, side_normal]
    around = _grid_faces(2, sides + 1)
    faces = [around[:, ::-1]]
    for rim, up in ((low, -1.0), (high, 1.0)):
        start = sum(len(p) for p in vertices)
        fan = np.stack([np.full(sides, start), np.arange(sides) + start + 1, np.arange(sides) + start + 2], 1)
        vertices += [rim.mean(0, keepdims=True) * (0, 0, 1), rim]
        normals.append(np.tile([0.0, 0.0, up], (sides + 2, 1)))
        faces.append(fan if up > 0 else fan[:, ::-1])
    local = np.concatenate(vertices)
    return Part(local + np.asarray(center, float), np.concatenate(normals), local, np.concatenate(faces), material)
