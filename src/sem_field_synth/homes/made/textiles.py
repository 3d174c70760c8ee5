"""Curtains, rugs, pictures, mirrors and beds, parametric."""

from __future__ import annotations

import numpy as np

from sem_field_synth.homes.finishes import FABRICS, Finishes, hsv
from sem_field_synth.homes.made.panels import Surface
from sem_field_synth.homes.made.shapes import Part, Size, any_wood, boxes, metal, one_box
from sem_field_synth.scene import Finish


def curtain(rng: np.random.Generator, finishes: Finishes, size: Size, nyu40: str = "curtain") -> list[Part]:
    """A hanging cloth in folds, seen from both sides, on a rod."""
    width, depth, height = size
    pattern = "plain" if rng.random() < 0.6 else FABRICS[rng.integers(len(FABRICS))]
    base = hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.35, 0.95))
    other = hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.35, 0.95))
    finish = Finish(texture=finishes.fabric(base, other, pattern))
    folds = max(2, round(width / rng.uniform(0.1, 0.18)))
    count = folds * 8 + 1
    x = np.linspace(-width / 2, width / 2, count)
    y = depth * 0.45 * np.sin(np.linspace(0, folds * 2 * np.pi, count) + rng.uniform(0, 6))
    y = y * (0.8 + 0.2 * np.sin(np.linspace(0, 7, count)))
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    vertices = np.concatenate([np.column_stack([x, y, np.full(count, z)]) for z in (0.0, height)])
    uv = np.concatenate([np.column_stack([along, np.full(count, z)]) for z in (0.0, height)])
    faces = [f for i in range(count - 1) for f in ([i, i + 1, count + i + 1], [i, count + i + 1, count + i])]
    cloth = Surface((0.5, 0.5))
    cloth.add(vertices, faces, uv)
    cloth.add(vertices + [0, 0.003, 0], [f[::-1] for f in faces], uv)
    rod = one_box((-width / 2 - 0.05, -0.012, height), (width / 2 + 0.05, 0.012, height + 0.024))
    return [Part(cloth, finish, nyu40), Part(rod, metal(rng), nyu40)]


def shower_curtain(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A curtain before a bathtub or shower."""
    return curtain(rng, finishes, size, "shower curtain")


def picture(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A framed picture whose back is at y = +depth/2."""
    width, depth, height = size
    edge = min(0.05, 0.08 * min(width, height) + 0.01)
    y0, y1 = -depth / 2, depth / 2
    frame = boxes(
        ((-width / 2, y0, 0), (-width / 2 + edge, y1, height)),
        ((width / 2 - edge, y0, 0), (width / 2, y1, height)),
        ((-width / 2 + edge, y0, 0), (width / 2 - edge, y1, edge)),
        ((-width / 2 + edge, y0, height - edge), (width / 2 - edge, y1, height)),
    )
    inner = Surface((width - 2 * edge, height - 2 * edge))
    x, low, high = width / 2 - edge, edge, height - edge
    inner.quad(np.array([[-x, 0, low], [x, 0, low], [x, 0, high], [-x, 0, high]]))
    image = Finish(texture=finishes.painting(int(rng.integers(60))), shininess=0.1)
    wood = Finish(hsv(rng.uniform(0.05, 0.12), rng.uniform(0, 0.6), rng.uniform(0.1, 0.9)), shininess=0.3)
    return [Part(frame, wood, "picture"), Part(inner, image, "picture")]


def mirror(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A mirror as a bright pane in a thin frame."""
    width, depth, height = size
    back = one_box((-width / 2, -depth / 2 + 0.004, 0), (width / 2, depth / 2, height))
    glass = Surface()
    x, y = width / 2 - 0.015, -depth / 2
    glass.quad(np.array([[-x, y, 0.015], [x, y, 0.015], [x, y, height - 0.015], [-x, y, height - 0.015]]))
    pane = Finish(hsv(0.55, 0.04, rng.uniform(0.6, 0.8)), shininess=1.0)
    return [Part(back, any_wood(rng, finishes), "mirror"), Part(glass, pane, "mirror")]


def rug(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A rug with a border."""
    width, depth, height = size
    pattern = FABRICS[rng.integers(len(FABRICS))]
    first = hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.25, 0.85))
    second = hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.25, 0.85))
    edge = 0.06 * min(width, depth)
    border = one_box((-width / 2, -depth / 2, 0.0005), (width / 2, depth / 2, height))
    inner = Surface((0.6, 0.6))
    x, y, z = width / 2 - edge, depth / 2 - edge, height + 0.001
    inner.quad(np.array([[-x, -y, z], [x, -y, z], [x, y, z], [-x, y, z]]))
    return [
        Part(border, Finish(second), "floor mat"),
        Part(inner, Finish(texture=finishes.fabric(first, second, pattern)), "floor mat"),
    ]


def bed(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """Frame, mattress with a cover, headboard and pillows; the head is at the back."""
    width, depth, _ = size
    frame = one_box((-width / 2, -depth / 2, 0.08), (width / 2, depth / 2 - 0.06, 0.28))
    head = one_box((-width / 2, depth / 2 - 0.06, 0), (width / 2, depth / 2, float(rng.uniform(0.7, 1.1))))
    mattress = one_box((-width / 2 + 0.02, -depth / 2 + 0.02, 0.28), (width / 2 - 0.02, depth / 2 - 0.07, 0.47))
    cover = one_box((-width / 2 - 0.01, -depth / 2 - 0.0, 0.3), (width / 2 + 0.01, depth / 2 - 0.6, 0.5), 0.5)
    pillows = Surface()
    for x in (-0.25, 0.25) if width > 1.2 else (0.0,):
        x = x * width
        pillows.box(np.array([x - 0.3, depth / 2 - 0.5, 0.47]), np.array([x + 0.3, depth / 2 - 0.1, 0.58]))
    white = Finish(hsv(0.1, 0.03, rng.uniform(0.8, 0.95)))
    first = hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.9))
    second = hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.9))
    fabric = Finish(texture=finishes.fabric(first, second, FABRICS[rng.integers(len(FABRICS))]))
    wood = any_wood(rng, finishes)
    return [
        Part(frame, wood, "bed"),
        Part(head, wood, "bed"),
        Part(mattress, white, "bed"),
        Part(cover, fabric, "bed"),
        Part(pillows, white, "bed"),
    ]
