"""Furniture of the synthetic room. Each builder returns parts around the origin: floor at z = 0, front towards -y."""

from __future__ import annotations

import numpy as np

from sem_field_synth.rooms.shapes import Material, Part, blob, box, cylinder

METAL = Material((0.35, 0.36, 0.38))
WHITE = Material((0.82, 0.81, 0.78))
DARK = Material((0.035, 0.035, 0.04))


def _legs(width: float, depth: float, height: float, radius: float, material: Material) -> list[Part]:
    corners = [(sx * width / 2, sy * depth / 2) for sx in (-1, 1) for sy in (-1, 1)]
    return [cylinder((x, y, height / 2), radius * 0.75, height, material, radius, 8) for x, y in corners]


def chair(wood: Material, seat: Material) -> list[Part]:
    """A dining chair, 0.44 x 0.46 x 0.9 m, its back at +y."""
    parts = _legs(0.36, 0.36, 0.44, 0.02, wood)
    parts.append(box((0, 0, 0.455), (0.44, 0.44, 0.05), seat, 0.02))
    for x in (-0.19, 0.19):
        parts.append(box((x, 0.2, 0.68), (0.035, 0.03, 0.44), wood, 0.01))
    parts.append(box((0, 0.2, 0.83), (0.4, 0.03, 0.14), wood, 0.012))
    parts.append(box((0, 0.2, 0.64), (0.36, 0.02, 0.09), wood, 0.008))
    return parts


def table(width: float, depth: float, height: float, wood: Material, round_top: bool = False) -> list[Part]:
    """A table; a round one stands on a pedestal."""
    if round_top:
        return [
            cylinder((0, 0, height - 0.02), width / 2, 0.04, wood, sides=36),
            cylinder((0, 0, height / 2), 0.05, height - 0.04, wood),
            cylinder((0, 0, 0.02), 0.28, 0.04, wood, 0.22, 28),
        ]
    top = box((0, 0, height - 0.02), (width, depth, 0.04), wood, 0.01)
    apron = [
        box((0, side * (depth / 2 - 0.07), height - 0.08), (width - 0.16, 0.02, 0.08), wood) for side in (-1.0, 1.0)
    ]
    return [top, *apron, *_legs(width - 0.14, depth - 0.14, height - 0.04, 0.035, wood)]


def sofa(width: float, cloth: Material, pillow: Material) -> list[Part]:
    """A sofa with seat and back cushions, arms and two loose pillows."""
    seats = 3 if width > 1.7 else 2
    inner = width - 0.36
    each = inner / seats
    parts = [box((0, 0.02, 0.22), (width - 0.04, 0.82, 0.26), cloth, 0.04)]
    parts.append(box((0, 0.36, 0.5), (width - 0.1, 0.18, 0.62), cloth, 0.07))
    for side in (-1, 1):
        parts.append(box((side * (width / 2 - 0.09), 0.0, 0.36), (0.18, 0.86, 0.5), cloth, 0.07))
    for i in range(seats):
        x = -inner / 2 + (i + 0.5) * each
        parts.append(box((x, -0.05, 0.4), (each - 0.01, 0.68, 0.16), cloth, 0.06))
        parts.append(box((x, 0.22, 0.63), (each - 0.02, 0.16, 0.42), cloth, 0.07))
    for side in (-1, 1):
        loose = box((0, 0, 0), (0.4, 0.13, 0.38), pillow, 0.06)
        parts.append(loose.moved(-22.0 * side, (side * (inner / 2 - 0.2), 0.07, 0.65)))
    return parts + _legs(width - 0.2, 0.66, 0.1, 0.03, DARK)


def bed(width: float, wood: Material, cloth: Material) -> list[Part]:
    """A bed of 2 m length, its head at +y."""
    parts = [box((0, 0, 0.2), (width, 2.0, 0.22), wood, 0.02), box((0, 1.02, 0.5), (width, 0.05, 0.9), wood, 0.02)]
    parts.append(box((0, 0, 0.4), (width - 0.04, 1.94, 0.2), WHITE, 0.06))
    parts.append(box((0, -0.28, 0.45), (width + 0.03, 1.42, 0.17), cloth, 0.07))
    for x in (-width / 4, width / 4):
        parts.append(box((x, 0.7, 0.54), (width / 2 - 0.12, 0.4, 0.15), WHITE, 0.06))
    return parts + _legs(width - 0.1, 1.85, 0.1, 0.03, wood)


def bookshelf(width: float, height: float, wood: Material, rng: np.random.Generator) -> list[Part]:
    """A filled bookshelf of 0.3 m depth, open towards -y."""
    parts = [box((0, 0.14, height / 2), (width, 0.02, height), wood)]
    parts += [box((side * (width / 2 - 0.01), 0, height / 2), (0.025, 0.3, height), wood) for side in (-1.0, 1.0)]
    boards = np.linspace(0.06, height - 0.015, 6)
    parts += [box((0, 0, float(z)), (width, 0.3, 0.025), wood) for z in boards]
    for z in boards[:-1]:
        x = -width / 2 + 0.03
        while x < width / 2 - 0.1:
            thick, tall = rng.uniform(0.025, 0.055), rng.uniform(0.19, 0.27)
            if rng.random() < 0.12:  # a gap
                x += 0.09
                continue
            hue = rng.uniform(0.05, 0.75, 3) * rng.uniform(0.4, 1.0)
            color = Material((float(hue[0]), float(hue[1]), float(hue[2])))
            deep = rng.uniform(0.17, 0.22)
            parts.append(box((x + thick / 2, 0.12 - deep / 2, z + 0.0125 + tall / 2), (thick, deep, tall), color))
            x += thick + 0.002
    return parts


def cabinet(width: float, height: float, depth: float, front: Material, doors: int) -> list[Part]:
    """A cabinet with `doors` doors and bar handles."""
    parts = [
        box((0, 0.01, height / 2 + 0.03), (width, depth - 0.02, height - 0.06), front),
        box((0, 0.03, 0.03), (width - 0.06, depth - 0.1, 0.06), DARK),
        box((0, 0, height - 0.01), (width + 0.02, depth, 0.025), front),
    ]
    each = width / doors
    for i in range(doors):
        x = -width / 2 + (i + 0.5) * each
        parts.append(box((x, -depth / 2, height / 2 + 0.02), (each - 0.012, 0.02, height - 0.1), front, 0.005))
        edge = each / 2 - 0.05 if i % 2 == 0 else -each / 2 + 0.05
        parts.append(box((x + edge, -depth / 2 - 0.022, height / 2 + 0.05), (0.015, 0.02, 0.14), METAL, 0.005))
    return parts


def television(width: float, bottom: float) -> list[Part]:
    """A flat screen on a foot that stands at height `bottom`."""
    tall = width * 0.58
    glass = Material((0.012, 0.014, 0.02), "screen", (0.3, 0.33, 0.38))
    return [
        box((0, 0, bottom + 0.01), (0.4, 0.2, 0.02), DARK, 0.008),
        box((0, 0.02, bottom + 0.05), (0.08, 0.04, 0.08), DARK),
        box((0, 0, bottom + 0.08 + tall / 2), (width, 0.04, tall), DARK, 0.01),
        box((0, -0.021, bottom + 0.08 + tall / 2), (width - 0.03, 0.004, tall - 0.03), glass),
    ]


def desk(width: float, wood: Material) -> list[Part]:
    """A writing desk with a drawer block and panel legs."""
    return [
        box((0, 0, 0.73), (width, 0.62, 0.035), wood, 0.008),
        box((-width / 2 + 0.02, 0, 0.36), (0.03, 0.58, 0.7), wood),
        box((width / 2 - 0.2, 0.02, 0.38), (0.38, 0.54, 0.66), WHITE),
        *[box((width / 2 - 0.2, -0.255, 0.2 + 0.2 * i), (0.36, 0.02, 0.18), WHITE, 0.005) for i in range(3)],
        *[box((width / 2 - 0.2, -0.275, 0.23 + 0.2 * i), (0.12, 0.02, 0.015), METAL, 0.004) for i in range(3)],
    ]


def floor_lamp(shade: Material) -> list[Part]:
    """A standing lamp of 1.6 m."""
    return [
        cylinder((0, 0, 0.015), 0.14, 0.03, METAL),
        cylinder((0, 0, 0.75), 0.012, 1.45, METAL),
        cylinder((0, 0, 1.5), 0.2, 0.26, shade, 0.14),
    ]


def pendant(height: float, shade: Material) -> list[Part]:
    """A ceiling lamp hanging on a wire; the shade's rim is at `height`."""
    return [
        cylinder((0, 0, height + 0.5), 0.006, 0.7, DARK),
        cylinder((0, 0, height + 0.1), 0.22, 0.2, shade, 0.07, 28),
    ]


def plant(rng: np.random.Generator) -> list[Part]:
    """A potted plant of about 1 m."""
    leaf = Material((0.09, 0.24, 0.07), "fabric", scale=2.0)
    parts = [cylinder((0, 0, 0.17), 0.13, 0.34, Material((0.5, 0.23, 0.14)), 0.18)]
    for angle in np.linspace(0, 2 * np.pi, 11)[:-1]:
        reach, up = rng.uniform(0.08, 0.24), rng.uniform(0.5, 1.05)
        one = blob((0, 0, 0), (0.3, 0.14, 0.2), leaf)
        parts.append(one.moved(np.degrees(angle), (reach * np.cos(angle), reach * np.sin(angle), up)))
        parts.append(cylinder((reach * 0.6 * np.cos(angle), reach * 0.6 * np.sin(angle), 0.5), 0.008, 0.5, leaf))
    return parts


def door(wood: Material) -> list[Part]:
    """A closed door, 0.9 x 2.05 m, on a wall face at y = 0."""
    parts = [box((0, -0.015, 1.025), (0.9, 0.03, 2.05), wood)]
    parts += [box((side * 0.47, -0.025, 1.05), (0.07, 0.05, 2.1), WHITE) for side in (-1.0, 1.0)]
    parts.append(box((0, -0.025, 2.09), (1.01, 0.05, 0.08), WHITE))
    parts += [box((0, -0.034, z), (0.62, 0.01, 0.72), wood, 0.004) for z in (0.55, 1.5)]
    parts.append(box((0.36, -0.07, 1.02), (0.13, 0.025, 0.025), METAL, 0.01))
    parts.append(box((0.4, -0.05, 1.02), (0.025, 0.05, 0.025), METAL))
    return parts


def window(width: float, bottom: float, top: float) -> list[Part]:
    """A two-leaf window with a sill, its wall face at y = 0."""
    tall, middle = top - bottom, (top + bottom) / 2
    pane = Material((1, 1, 1), "outdoors", scale=tall / 2, emission=0.75)
    parts = [box((0, 0.06, middle), (width, 0.01, tall), pane)]
    parts += [box((x, 0.03, middle), (0.06, 0.07, tall), WHITE) for x in (-width / 2, 0.0, width / 2)]
    parts += [box((0, 0.03, z), (width + 0.06, 0.07, 0.06), WHITE) for z in (bottom, top)]
    parts.append(box((0, -0.06, bottom - 0.04), (width + 0.2, 0.2, 0.03), WHITE, 0.008))
    return parts


def curtain(width: float, height: float, cloth: Material) -> list[Part]:
    """A hanging curtain made of folds."""
    folds = max(3, round(width / 0.09))
    return [
        cylinder(((i + 0.5) / folds * width - width / 2, 0.02 * (i % 2), height / 2), 0.05, height, cloth, 0.045, 8)
        for i in range(folds)
    ]


def picture(width: float, height: float, canvas: Material, frame: Material) -> list[Part]:
    """A framed picture on a wall face at y = 0, its centre at z = 0."""
    return [
        box((0, -0.015, 0), (width, 0.03, height), frame, 0.006),
        box((0, -0.031, 0), (width - 0.08, 0.004, height - 0.08), canvas),
    ]
