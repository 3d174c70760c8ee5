"""Surfaces of objects: colours, wood, stripes, checks and images, evaluated where rays hit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

Color = tuple[float, float, float]  # sRGB, each 0..1
PATTERNS = ("plain", "wood", "stripes", "checks", "weave", "image")


@dataclass(frozen=True)
class Surface:
    """Colours are sRGB 0..1; `second` is the pattern's other colour, `scale` its period in metres.

    shininess  0 matt .. 1 polished        metal  reflections take the colour of the surface
    """

    color: Color
    pattern: str = "plain"
    second: Color = (0.0, 0.0, 0.0)
    scale: float = 0.05
    shininess: float = 0.0
    metal: bool = False
    image: Path | None = None


WOODS: dict[str, tuple[Color, Color]] = {
    "oak": ((0.78, 0.61, 0.42), (0.64, 0.46, 0.29)),
    "beech": ((0.85, 0.68, 0.50), (0.76, 0.57, 0.39)),
    "pine": ((0.90, 0.76, 0.53), (0.80, 0.60, 0.36)),
    "walnut": ((0.43, 0.29, 0.20), (0.30, 0.19, 0.13)),
    "cherry": ((0.62, 0.34, 0.21), (0.50, 0.25, 0.15)),
    "mahogany": ((0.45, 0.20, 0.14), (0.33, 0.13, 0.09)),
    "teak": ((0.66, 0.47, 0.29), (0.52, 0.34, 0.19)),
    "wenge": ((0.25, 0.19, 0.16), (0.16, 0.12, 0.10)),
    "ash": ((0.83, 0.76, 0.64), (0.73, 0.64, 0.50)),
}
PAINTS: tuple[Color, ...] = (
    (0.86, 0.86, 0.84), (0.12, 0.12, 0.13), (0.35, 0.37, 0.39), (0.62, 0.64, 0.65), (0.75, 0.16, 0.14),
    (0.16, 0.32, 0.55), (0.22, 0.45, 0.32), (0.90, 0.72, 0.20), (0.55, 0.70, 0.72), (0.85, 0.47, 0.20),
)  # fmt: skip
FABRICS: tuple[Color, ...] = (
    (0.28, 0.30, 0.33), (0.14, 0.14, 0.16), (0.55, 0.55, 0.54), (0.80, 0.76, 0.68), (0.20, 0.29, 0.44),
    (0.53, 0.17, 0.16), (0.25, 0.38, 0.29), (0.70, 0.55, 0.22), (0.44, 0.31, 0.24), (0.62, 0.42, 0.44),
    (0.24, 0.47, 0.50), (0.89, 0.87, 0.82), (0.37, 0.24, 0.40),
)  # fmt: skip
METALS: tuple[Color, ...] = ((0.80, 0.81, 0.82), (0.62, 0.63, 0.65), (0.80, 0.66, 0.38), (0.52, 0.40, 0.31))


def wood(rng: np.random.Generator) -> Surface:
    """A random kind of wood, sometimes painted."""
    if rng.random() < 0.2:
        return paint(rng)
    light, dark = WOODS[list(WOODS)[rng.integers(len(WOODS))]]
    shade = rng.uniform(0.88, 1.08)
    return Surface(
        _jitter(light, rng, shade), "wood", _jitter(dark, rng, shade), rng.uniform(0.03, 0.09), rng.uniform(0.05, 0.4)
    )


def paint(rng: np.random.Generator) -> Surface:
    """A plain colour, matt or glossy: lacquered wood, plastic."""
    return Surface(_jitter(PAINTS[rng.integers(len(PAINTS))], rng), shininess=rng.uniform(0.1, 0.5))


def fabric(rng: np.random.Generator) -> Surface:
    """Cloth or leather."""
    color = _jitter(FABRICS[rng.integers(len(FABRICS))], rng)
    kind = rng.random()
    if kind < 0.12:
        other = _jitter(FABRICS[rng.integers(len(FABRICS))], rng)
        pattern = ("stripes", "checks")[rng.integers(2)]
        return Surface(color, pattern, other, rng.uniform(0.03, 0.09))
    if kind < 0.35:
        return Surface(color, shininess=rng.uniform(0.15, 0.4))  # leather
    return Surface(color, "weave", tuple(0.86 * c for c in color), rng.uniform(0.006, 0.016))  # type: ignore[arg-type]


def metal(rng: np.random.Generator) -> Surface:
    """Chrome, steel, brass, or powder-coated black or white."""
    if rng.random() < 0.4:
        dark = rng.random() < 0.7
        return Surface(
            _jitter((0.13, 0.13, 0.14) if dark else (0.84, 0.84, 0.84), rng), shininess=rng.uniform(0.2, 0.5)
        )
    weights = np.array([0.45, 0.3, 0.15, 0.1])
    return Surface(METALS[rng.choice(len(METALS), p=weights)], shininess=rng.uniform(0.5, 1.0), metal=True)


def dark_plastic(rng: np.random.Generator) -> Surface:
    """Material of wheels and office fittings."""
    value = rng.uniform(0.08, 0.22)
    return Surface((value, value, value * 1.05), shininess=0.25)


def _jitter(color: Color, rng: np.random.Generator, shade: float = 1.0) -> Color:
    r, g, b = np.clip(np.array(color) * shade + rng.normal(0, 0.02, 3), 0.02, 0.98).tolist()
    return (r, g, b)


def linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB 0..1 -> linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)


def reflectance(surface: Surface, at: np.ndarray) -> np.ndarray:
    """Linear reflectance [N, 3] at texture coordinates [N, 3]."""
    color, second = linear(np.array(surface.color)), linear(np.array(surface.second))
    if surface.pattern == "image" and surface.image is not None:
        return _image_at(surface.image, at[:, :2])
    if surface.pattern == "plain":
        return np.broadcast_to(color, (len(at), 3))
    share = _share(surface, at)[:, None]
    return color * (1 - share) + second * share


def _share(surface: Surface, at: np.ndarray) -> np.ndarray:
    """Share of the second colour, [N] in 0..1."""
    x, y, z = at.T / surface.scale
    if surface.pattern == "wood":  # rings about an axis far away, bent by slow waves along the grain
        bend = 0.9 * np.sin(0.13 * z + 0.7 * np.sin(0.31 * y)) + 0.5 * np.sin(0.29 * z + 1.3 + 0.5 * x)
        rings = np.sin(2.1 * x + 1.3 * y + bend) + 0.6 * np.sin(5.3 * x + 3.9 * y + 1.7 * bend)
        rings *= 0.6 + 0.4 * np.sin(0.47 * x + 0.61 * y + 0.9)  # boards differ in contrast
        fibre = np.sin(23.0 * x + 0.4 * z) * np.sin(19.0 * y + 0.3 * z)
        return np.clip(0.45 + 0.22 * rings + 0.12 * fibre, 0, 1)
    if surface.pattern == "stripes":
        return (np.mod(x + y, 1.0) < 0.5).astype(float)
    if surface.pattern == "checks":
        lines = ((np.mod(x, 1.0) < 0.3).astype(float), (np.mod(z, 1.0) < 0.3).astype(float))
        return np.clip(lines[0] + lines[1], 0, 2) / 2
    return 0.5 + 0.5 * np.sin(6.28 * x) * np.sin(6.28 * y + 1.0) * np.sin(6.28 * z)  # weave


@lru_cache(maxsize=64)
def _read_image(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return np.full((1, 1, 3), 0.5, np.float32)
    if max(image.shape[:2]) > 512:
        share = 512 / max(image.shape[:2])
        image = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return linear(image[..., ::-1].astype(np.float32) / 255).astype(np.float32)


def _image_at(path: Path, uv: np.ndarray) -> np.ndarray:
    """Repeated image, bilinear; v points upwards."""
    image = _read_image(path)
    height, width = image.shape[:2]
    u = np.mod(uv[:, 0], 1.0) * width - 0.5
    v = (1 - np.mod(uv[:, 1], 1.0)) * height - 0.5
    left, top = np.floor(u).astype(int), np.floor(v).astype(int)
    a, b = (u - left)[:, None], (v - top)[:, None]
    x, y = (left % width, (left + 1) % width), (top % height, (top + 1) % height)
    upper = image[y[0], x[0]] * (1 - a) + image[y[0], x[1]] * a
    lower = image[y[1], x[0]] * (1 - a) + image[y[1], x[1]] * a
    return upper * (1 - b) + lower * b
