"""Cabinets, shelves, tables and appliances, parametric."""

from __future__ import annotations

import numpy as np

from sem_field_synth.homes.finishes import Finishes, hsv
from sem_field_synth.homes.made.panels import Surface
from sem_field_synth.homes.made.shapes import Part, Size, any_wood, boxes, metal, one_box
from sem_field_synth.scene import Finish


def cabinet(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A cupboard with doors or drawers and handles."""
    width, depth, height = size
    body = one_box((-width / 2, -depth / 2 + 0.02, 0), (width / 2, depth / 2, height))
    columns = max(1, round(width / 0.5))
    rows = int(rng.choice([1, 1, 3])) if height < 1.2 else int(rng.choice([1, 2]))
    fronts, handles = Surface(), Surface()
    for i in range(columns):
        for j in range(rows):
            x0, x1 = (-width / 2 + (i + k) * width / columns for k in (0, 1))
            z0, z1 = 0.06 + j * (height - 0.06) / rows, 0.06 + (j + 1) * (height - 0.06) / rows
            y = -depth / 2 + 0.02
            fronts.box(np.array([x0 + 0.004, y - 0.018, z0 + 0.004]), np.array([x1 - 0.004, y, z1 - 0.004]))
            middle = (x0 + x1) / 2
            if rows > 2:
                low, high = (middle - 0.07, y - 0.045, z1 - 0.06), (middle + 0.07, y - 0.018, z1 - 0.045)
            else:
                x = x1 - 0.05 if i % 2 == 0 else x0 + 0.04
                low, high = (x, y - 0.045, z0 + 0.45 * (z1 - z0)), (x + 0.012, y - 0.018, z0 + 0.65 * (z1 - z0))
            handles.box(np.array(low), np.array(high))
    wood = any_wood(rng, finishes)
    return [
        Part(body, wood, "cabinet"),
        Part(fronts, any_wood(rng, finishes) if rng.random() < 0.4 else wood, "cabinet"),
        Part(handles, metal(rng), "cabinet"),
    ]


def refrigerator(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A fridge with a freezer door."""
    width, depth, height = size
    body = one_box((-width / 2, -depth / 2 + 0.06, 0.03), (width / 2, depth / 2, height))
    split = height * float(rng.choice([0.35, 0.68]))
    y0, y1 = -depth / 2 + 0.03, -depth / 2 + 0.055
    doors = boxes(
        ((-width / 2, y0, 0.06), (width / 2, y1, split - 0.004)),
        ((-width / 2, y0, split + 0.004), (width / 2, y1, height)),
    )
    x = width / 2 - 0.06
    grips = boxes(
        ((x, y0 - 0.03, max(split - 0.45, 0.1)), (x + 0.02, y0, split - 0.05)),
        ((x, y0 - 0.03, split + 0.05), (x + 0.02, y0, min(split + 0.4, height - 0.05))),
    )
    paint = Finish(hsv(rng.random(), rng.choice([0.0, 0.02, 0.3]), rng.choice([0.95, 0.75, 0.6, 0.2])), shininess=0.6)
    return [
        Part(body, paint, "refrigerator"),
        Part(doors, paint, "refrigerator"),
        Part(grips, metal(rng), "refrigerator"),
    ]


def bookshelf(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """Open shelves full of books."""
    width, depth, height = size
    rows = max(2, round(height / 0.36))
    board, back = 0.022, depth / 2
    frame = boxes(
        ((-width / 2, -depth / 2, 0), (-width / 2 + board, back, height)),
        ((width / 2 - board, -depth / 2, 0), (width / 2, back, height)),
        ((-width / 2 + board, back - 0.01, 0), (width / 2 - board, back, height)),
        *(
            ((-width / 2 + board, -depth / 2, z), (width / 2 - board, back - 0.01, z + board))
            for z in np.linspace(0.03, height - board, rows + 1)
        ),
    )
    step = (height - board - 0.03) / rows
    colors = [hsv(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.15, 0.9)) for _ in range(8)]
    books = [Surface() for _ in colors]
    for row in range(rows):
        z, x = 0.03 + row * step + board, -width / 2 + board + 0.005
        end = width / 2 - board - rng.uniform(0, 0.5) * width
        while x < end - 0.05:
            thick = rng.uniform(0.015, 0.05)
            tall, deep = rng.uniform(0.5, 0.85) * (step - board), rng.uniform(0.14, 0.22)
            front = max(-depth / 2 + 0.01, back - 0.015 - deep)
            books[rng.integers(len(books))].box(np.array([x, front, z]), np.array([x + thick, back - 0.012, z + tall]))
            x += thick + (rng.uniform(0.02, 0.2) if rng.random() < 0.08 else 0.0005)
    filled = [(s, c) for s, c in zip(books, colors, strict=True) if s.count]
    return [Part(frame, any_wood(rng, finishes), "bookshelf"), *(Part(s, Finish(c), "bookshelf") for s, c in filled)]


def television(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A flat screen on a foot, off or showing a picture."""
    width, depth, height = size
    case = boxes(
        ((-width / 2, -0.02, 0.05), (width / 2, 0.02, height)),
        ((-0.05, -0.01, 0.01), (0.05, 0.03, 0.06)),
        ((-width / 5, -depth / 2, 0), (width / 5, depth / 2, 0.012)),
    )
    screen = Surface((width - 0.03, height - 0.08))
    x, low, high = width / 2 - 0.015, 0.065, height - 0.015
    screen.quad(np.array([[-x, -0.021, low], [x, -0.021, low], [x, -0.021, high], [-x, -0.021, high]]))
    off = Finish((0.02, 0.02, 0.025), shininess=0.9)
    on = Finish(texture=finishes.painting(int(rng.integers(60))), shininess=0.5, emission=1.0)
    black = Finish((0.04, 0.04, 0.04), shininess=0.4)
    return [Part(case, black, "television"), Part(screen, on if rng.random() < 0.3 else off, "television")]


def table(rng: np.random.Generator, finishes: Finishes, size: Size, nyu40: str = "table") -> list[Part]:
    """A top on four legs."""
    width, depth, height = size
    wood = any_wood(rng, finishes)
    leg = float(rng.uniform(0.04, 0.07))
    x, y = width / 2, depth / 2
    inset = float(rng.uniform(0.0, 0.06))
    feet = [(sx * (x - leg / 2 - inset), sy * (y - leg / 2 - inset)) for sx in (-1, 1) for sy in (-1, 1)]
    legs = boxes(*(((a - leg / 2, b - leg / 2, 0), (a + leg / 2, b + leg / 2, height - 0.03)) for a, b in feet))
    top = one_box((-x, -y, height - 0.03), (x, y, height))
    return [Part(top, wood, nyu40), Part(legs, wood if rng.random() < 0.6 else metal(rng), nyu40)]


def desk(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A writing table with a box of drawers under it."""
    width, depth, height = size
    parts = table(rng, finishes, size, "desk")
    drawers = cabinet(rng, finishes, (0.4, depth * 0.85, height - 0.06))
    for part in drawers:
        for vertices in part.surface.vertices:
            vertices[:, 0] += width / 2 - 0.28
    return [*parts, *(Part(d.surface, d.finish, "desk") for d in drawers)]


def night_stand(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A small chest beside a bed."""
    return [Part(p.surface, p.finish, "night stand") for p in cabinet(rng, finishes, size)]


def appliance(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A stove, washer or dishwasher: a white or steel box with a dark door and knobs."""
    width, depth, height = size
    paint = Finish(hsv(0.1, 0.02, rng.choice([0.95, 0.7, 0.3])), shininess=0.5)
    body = one_box((-width / 2, -depth / 2 + 0.03, 0), (width / 2, depth / 2, height))
    door = one_box((-width / 2 + 0.05, -depth / 2, 0.15), (width / 2 - 0.05, -depth / 2 + 0.03, height - 0.2))
    knobs = boxes(
        *(
            ((x - 0.02, -depth / 2, height - 0.12), (x + 0.02, -depth / 2 + 0.03, height - 0.08))
            for x in (-0.18, -0.06, 0.06, 0.18)
        )
    )
    dark = Finish((0.06, 0.06, 0.07), shininess=0.8)
    return [Part(s, f, "otherfurniture") for s, f in ((body, paint), (door, dark), (knobs, metal(rng)))]
