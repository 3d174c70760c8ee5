"""Procedural textures of the synthetic room: surface points in local metres -> linear reflectance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sem_field_synth.rooms.shapes import Material


def hash_noise(cells: np.ndarray) -> np.ndarray:
    """Integer lattice cells [..., 3] -> reproducible values in [0, 1), [...]."""
    c = cells.astype(np.int64).astype(np.uint32)
    h = c[..., 0] * np.uint32(0x8DA6B343) ^ c[..., 1] * np.uint32(0xD8163841) ^ c[..., 2] * np.uint32(0xCB1AB31F)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    h = (h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39)
    return (h ^ (h >> np.uint32(15))).astype(np.float64) / 2**32


def value_noise(points: np.ndarray) -> np.ndarray:
    """Smooth noise in [0, 1] of points [N, 3], one lattice cell per unit."""
    cell = np.floor(points)
    f = points - cell
    f = f * f * (3 - 2 * f)
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, f, 1 - f), axis=1)
        total += weight * hash_noise(cell + np.asarray(corner))
    return total


def _mix(material: Material, amount: np.ndarray) -> np.ndarray:
    amount = np.clip(amount, 0, 1)[:, None]
    return (1 - amount) * np.asarray(material.color) + amount * np.asarray(material.second)


def _plain(p: np.ndarray, m: Material) -> np.ndarray:
    """Paint with a faint mottling."""
    return np.asarray(m.color) * (0.94 + 0.12 * value_noise(p * 6 / m.scale))[:, None]


def _planks(p: np.ndarray, m: Material) -> np.ndarray:
    """Floor boards along x, `scale` metres wide, with staggered butt joints."""
    row = np.floor(p[:, 1] / m.scale)
    along = p[:, 0] / (9 * m.scale) + hash_noise(np.stack([row, row * 0, row * 0 + 7], 1))
    board = np.stack([row, np.floor(along), row * 0], 1)
    grain = value_noise(p * (4, 60, 4) + board * 13.7)
    amount = 0.55 * hash_noise(board) + 0.35 * grain
    joint = np.minimum(np.abs(p[:, 1] / m.scale - row - 0.5) < 0.485, np.abs(along - np.floor(along) - 0.5) < 0.498)
    return _mix(m, amount) * np.where(joint, 1.0, 0.55)[:, None]


def _wood(p: np.ndarray, m: Material) -> np.ndarray:
    """Veneer: wavy grain along the local x axis."""
    warp = value_noise(p * (2, 6, 6) / m.scale)
    rings = np.sin((p[:, 1] + p[:, 2]) * 55 / m.scale + 9 * warp)
    return _mix(m, 0.35 + 0.3 * rings * value_noise(p * (3, 30, 30) / m.scale) + 0.25 * warp)


def _fabric(p: np.ndarray, m: Material) -> np.ndarray:
    """Woven cloth: fine speckle over slow shading."""
    return np.asarray(m.color) * (0.72 + 0.3 * value_noise(p * 120 / m.scale) + 0.2 * value_noise(p * 9))[:, None]


def _stripes(p: np.ndarray, m: Material) -> np.ndarray:
    """Soft stripes around the vertical axis (wallpaper, curtain folds)."""
    return _mix(m, 0.5 + 0.5 * np.sin((p[:, 0] + p[:, 1]) * 2 * np.pi / m.scale))


def _rug(p: np.ndarray, m: Material) -> np.ndarray:
    """Concentric frames with a woven speckle."""
    frame = np.maximum(np.abs(p[:, 0]) / 1.35, np.abs(p[:, 1]))
    band = np.floor(frame / m.scale) % 2
    return _mix(m, band) * (0.75 + 0.4 * value_noise(p * 90))[:, None]


def _painting(p: np.ndarray, m: Material) -> np.ndarray:
    """A simple landscape: sky, hills and foreground with a sun."""
    across = p[:, 0] + p[:, 1]
    height = p[:, 2] / m.scale
    hills = 0.25 * np.sin(across * 9 + 1.3) + 0.2 * value_noise(np.stack([across * 11, height * 0, height * 0], 1))
    color = np.where((height > hills)[:, None], np.array([0.55, 0.7, 0.85]), np.asarray(m.color))
    color = np.where((height < hills - 0.45)[:, None], np.asarray(m.second), color)
    sun = np.hypot(across - 0.12, (height - 0.62) * m.scale) < 0.22 * m.scale
    return np.where(sun[:, None], np.array([0.95, 0.75, 0.3]), color) * (0.8 + 0.3 * value_noise(p * 60))[:, None]


def _outdoors(p: np.ndarray, m: Material) -> np.ndarray:
    """The view from a window: bright sky above, treetops below."""
    trees = -0.55 * m.scale + 0.25 * (value_noise(p * 5) - 0.5) + 0.12 * (value_noise(p * 17) - 0.5)
    leaves = np.array([0.12, 0.22, 0.08]) * (0.5 + value_noise(p * 25))[:, None]
    fade = np.clip(p[:, 2] / m.scale, 0, 1)[:, None]
    sky = (1 - fade) * np.array([0.95, 0.97, 1.0]) + fade * np.array([0.55, 0.75, 1.0])
    return np.where((p[:, 2] > trees)[:, None], sky, leaves)


def _screen(p: np.ndarray, m: Material) -> np.ndarray:
    """A dark screen with the pale reflection of the room."""
    glare = np.clip(1 - np.abs((p[:, 0] + p[:, 1]) * 1.2 + p[:, 2] * 1.6 - 0.35) * 4, 0, 1)
    return _mix(m, 0.35 * glare)


TEXTURES: dict[str, Callable[[np.ndarray, Material], np.ndarray]] = {
    "plain": _plain,
    "planks": _planks,
    "wood": _wood,
    "fabric": _fabric,
    "stripes": _stripes,
    "rug": _rug,
    "painting": _painting,
    "outdoors": _outdoors,
    "screen": _screen,
}


def reflectance(points: np.ndarray, material: Material) -> np.ndarray:
    """Local points [N, 3] metres -> RGB [N, 3] in 0..1."""
    return np.clip(TEXTURES[material.texture](points, material), 0, 1)
