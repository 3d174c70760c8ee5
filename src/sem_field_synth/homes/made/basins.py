"""Bathtubs, toilets, washbasins and sinks, parametric."""

from __future__ import annotations

import numpy as np

from sem_field_synth.homes.finishes import Finishes, hsv
from sem_field_synth.homes.made.cabinets import cabinet
from sem_field_synth.homes.made.panels import Surface
from sem_field_synth.homes.made.shapes import Part, Size, any_wood, boxes, lathe, metal, one_box
from sem_field_synth.scene import Finish


def bathtub(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A tub: fitted with a box around it, or standing free."""
    width, depth, height = size
    half = width / 2
    squash = depth / width
    power = float(rng.uniform(2.5, 6))
    rim = half - 0.06
    white = Finish(hsv(0.12, rng.uniform(0, 0.05), rng.uniform(0.88, 0.98)), shininess=0.7)
    inner = [(half, height), (rim, height), (rim - 0.05, height * 0.5), (rim - 0.14, 0.15), (0.001, 0.14)]
    parts: list[Part] = []
    if rng.random() < 0.5:
        power = 12.0
        panel = Surface()
        panel.box(np.array([-half, -depth / 2, 0]), np.array([half, -depth / 2 + 0.02, height - 0.03]))
        panel.box(np.array([-half, -depth / 2, 0]), np.array([-half + 0.02, depth / 2, height - 0.03]))
        panel.box(np.array([half - 0.02, -depth / 2, 0]), np.array([half, depth / 2, height - 0.03]))
        tiles = finishes.tiles(wall=True) if rng.random() < 0.4 else None
        parts.append(Part(panel, Finish(texture=tiles[0], shininess=0.4) if tiles else white, "bathtub"))
        shell = lathe([(half, height - 0.04), *inner], squash, 28, power)
    else:
        outer = [(half - 0.16, 0.0), (half - 0.1, 0.2), (half - 0.03, height - 0.05), (half, height - 0.03)]
        shell = lathe([*outer, *inner], squash, 28, power)
    tap = boxes(
        ((half - 0.05, -0.02, height), (half - 0.02, 0.02, height + 0.14)),
        ((half - 0.18, -0.015, height + 0.11), (half - 0.02, 0.015, height + 0.14)),
    )
    return [*parts, Part(shell, white, "bathtub"), Part(tap, metal(rng), "bathtub")]


def toilet(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """Bowl, seat, lid (up or down) and tank."""
    width, depth, height = size
    white = Finish(hsv(0.12, rng.uniform(0, 0.04), rng.uniform(0.88, 0.98)), shininess=0.7)
    seat = 0.41
    tank_depth = 0.18
    half = min(width / 2, 0.19)
    length = (depth - tank_depth) / 2
    squash = length / half
    y = -depth / 2 + length
    profile = [(half * 0.6, 0), (half * 0.55, 0.15), (half * 0.95, seat - 0.05), (half, seat), (half * 0.66, seat)]
    bowl = lathe([*profile, (half * 0.5, seat - 0.12), (0.001, seat - 0.2)], squash, 24, 2.2)
    for vertices in bowl.vertices:
        vertices[:, 1] += y
    tank = one_box((-width / 2, depth / 2 - tank_depth, seat - 0.02), (width / 2, depth / 2, height))
    top = height + 0.02
    cover = one_box((-width / 2 - 0.01, depth / 2 - tank_depth - 0.01, height), (width / 2 + 0.01, depth / 2, top))
    foot = one_box((-half * 0.5, depth / 2 - tank_depth - 0.2, 0), (half * 0.5, depth / 2, seat - 0.02))
    lid = Surface()
    if rng.random() < 0.5:
        lid = lathe([(half, seat), (half, seat + 0.02), (0.001, seat + 0.025)], squash, 24, 2.2)
        for vertices in lid.vertices:
            vertices[:, 1] += y
    else:
        back = depth / 2 - tank_depth - 0.04
        lid.box(np.array([-half, back, seat]), np.array([half, back + 0.025, seat + 2 * length * 0.85]))
    return [Part(s, white, "toilet") for s in (bowl, tank, cover, foot, lid)]


def washbasin(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A basin on a pedestal or a cabinet."""
    width, depth, height = size
    white = Finish(hsv(0.12, rng.uniform(0, 0.04), rng.uniform(0.88, 0.98)), shininess=0.7)
    half = width / 2
    top = min(height, 0.86)
    outer = [(half * 0.6, top - 0.18), (half, top - 0.06), (half, top), (half * 0.85, top)]
    bowl = lathe([*outer, (half * 0.6, top - 0.12), (0.001, top - 0.13)], depth / width, 24, float(rng.uniform(2, 6)))
    parts = [Part(bowl, white, "sink")]
    if rng.random() < 0.5:
        parts.append(Part(one_box((-0.08, -0.02, 0), (0.08, depth / 2, top - 0.12)), white, "sink"))
    else:
        parts += cabinet(rng, finishes, (width * 0.9, depth * 0.85, top - 0.17))
    y = depth / 2 - 0.04
    tap = boxes(
        ((-0.015, y - 0.03, top), (0.015, y, top + 0.15)), ((-0.012, y - 0.14, top + 0.12), (0.012, y, top + 0.15))
    )
    return [*parts, Part(tap, metal(rng), "sink")]


def kitchen_sink(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A cupboard with a worktop and a built-in steel basin."""
    width, depth, height = size
    base = height - 0.04
    parts = cabinet(rng, finishes, (width, depth, base))
    x, y = min(width / 2 - 0.08, 0.32), depth / 2 - 0.1
    rim = 0.02
    top = boxes(
        ((-width / 2, -depth / 2, base), (-x, depth / 2, height)),
        ((x, -depth / 2, base), (width / 2, depth / 2, height)),
        ((-x, -depth / 2, base), (x, -y, height)),
        ((-x, y, base), (x, depth / 2, height)),
    )
    steel = boxes(
        ((-x, -y, base + 0.002), (x, y, base + 0.006)),
        ((-x - rim, -y - rim, height), (-x, y + rim, height + 0.006)),
        ((x, -y - rim, height), (x + rim, y + rim, height + 0.006)),
        ((-x, -y - rim, height), (x, -y, height + 0.006)),
        ((-x, y, height), (x, y + rim, height + 0.006)),
        ((-0.015, y + 0.02, height), (0.015, y + 0.05, height + 0.25)),
        ((-0.012, y - 0.14, height + 0.22), (0.012, y + 0.05, height + 0.25)),
    )
    return [*parts, Part(top, any_wood(rng, finishes), "counter"), Part(steel, metal(rng), "sink")]
