"""Supports of parametric tables: legs with aprons and shelves, columns, trestles, loops, planks, cabinets."""

from __future__ import annotations

import numpy as np

from sem_field_synth.objects.chair_supports import leg, stretchers, turned_profile
from sem_field_synth.objects.part_mesh import PartBuilder
from sem_field_synth.objects.solids import (
    Solid,
    bar,
    box,
    lathe,
    rounded_path,
    rounded_rectangle,
    slab,
    sweep,
    tube,
)
from sem_field_synth.objects.surfaces import Surface, metal
from sem_field_synth.objects.table_top import Top

_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def straight_legs(
    build: PartBuilder, top: Top, plate: Surface, frame: Surface, rng: np.random.Generator, metallic: bool
) -> None:
    """Four upright legs, an apron (sometimes with drawers), stretchers or a shelf."""
    kind = "tube" if metallic else str(rng.choice(["square", "round", "turned"], p=[0.55, 0.25, 0.2]))
    if metallic and rng.random() < 0.5:
        kind = "square"
    small = top.height < 0.6 or top.width < 0.7
    size = rng.uniform(0.025, 0.05) if metallic or small else rng.uniform(0.045, 0.09)
    inset = size / 2 + rng.choice([0.0, rng.uniform(0.02, 0.08)])
    x, y = top.corner * top.width / 2 - inset, top.corner * top.depth / 2 - inset
    tops = [np.array([sx * x, sy * y, top.bottom + 0.3 * top.thickness]) for sx, sy in _CORNERS]
    feet = [corner * [1, 1, 0] for corner in tops]
    narrow = rng.uniform(0.5, 1.0) if not metallic else 1.0
    for a, b in zip(tops, feet, strict=True):
        build.add("leg", frame, leg(a, b, kind, size, rng, narrow))
    height = 0.0
    if not top.round and rng.random() < (0.5 if metallic else 0.8):
        height = rng.uniform(0.03, 0.05) if metallic else rng.uniform(0.06, 0.11)
        apron(build, x, y, top, height, frame)
        if not metallic and height > 0.07 and rng.random() < 0.35:
            _apron_drawers(build, x, y, top, height, plate, rng)
    below = rng.random()
    if below < 0.22 and not top.round:
        shelf(build, x, y, top, plate, rng, slats=bool(rng.random() < 0.25))
    elif below < 0.4 and not top.round:
        stretchers(build, tops, feet, frame, rng, "leg")


def apron(build: PartBuilder, x: float, y: float, top: Top, height: float, surface: Surface) -> None:
    """The frame right under the top, through the legs at (+-x, +-y)."""
    section = rounded_rectangle(0.022, height, 0.002, 2)
    z = top.bottom - height / 2 + 0.002
    ring = [np.array([sx * x, sy * y, z]) for sx, sy in _CORNERS]
    for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
        build.add("apron", surface, bar(a, b, section, up=(0, 0, 1)))


def _apron_drawers(
    build: PartBuilder, x: float, y: float, top: Top, height: float, plate: Surface, rng: np.random.Generator
) -> None:
    count = int(rng.integers(1, 4)) if top.width > 0.9 else 1
    share = rng.uniform(0.6, 0.85)
    knob = metal(rng)
    for i in range(count):
        middle = (i - (count - 1) / 2) * 2 * x / count
        width = share * 2 * x / count
        z = top.bottom - height / 2 + 0.002
        build.add("drawer", plate, box((width, 0.03, 0.82 * height), (middle, -y - 0.004, z), 0.003))
        build.add("drawer", knob, _knob(middle, -y - 0.019, z, rng))


def _knob(x: float, y: float, z: float, rng: np.random.Generator) -> Solid:
    if rng.random() < 0.5:
        return lathe([(0.006, 0), (0.006, 0.012), (0.013, 0.016), (0.009, 0.024)], 12).turned(90, "x").moved(x, y, z)
    return box((0.09, 0.02, 0.01), (x, y - 0.01, z), 0.004)


def shelf(
    build: PartBuilder, x: float, y: float, top: Top, surface: Surface, rng: np.random.Generator, slats: bool = False
) -> None:
    """A shelf between the legs at (+-x, +-y), whole or of slats."""
    z = rng.uniform(0.15, 0.45) * top.height
    if slats:
        count = int(rng.integers(4, 8))
        for place in np.linspace(-y, y, count):
            build.add("shelf", surface, box((2 * x, 1.2 * y / count, 0.015), (0, 0.9 * place, z)))
        for side in (-x, x):
            build.add("shelf", surface, box((0.02, 2 * y, 0.025), (side, 0, z - 0.015)))
        return
    build.add("shelf", surface, box((2 * x, 2 * y, rng.uniform(0.014, 0.025)), (0, 0, z), 0.003))


def splayed_legs(build: PartBuilder, top: Top, frame: Surface, rng: np.random.Generator, metallic: bool) -> None:
    """Three or four legs that lean outwards; hairpins if they are of metal."""
    count = 3 if top.round and rng.random() < 0.35 else 4
    lean = rng.uniform(0.1, 0.22) * top.bottom
    hairpin = metallic and rng.random() < 0.6
    size = 0.012 if hairpin else rng.uniform(0.03, 0.055)
    kind = "tube" if metallic else ("round", "square")[rng.integers(2)]
    tops, feet = [], []
    for i in range(count):
        if count == 4 and not top.round:
            side = np.array([*_CORNERS[i], 0.0])
            at = side * [top.corner * top.width / 2 - 0.06 - lean, top.corner * top.depth / 2 - 0.05 - 0.6 * lean, 0]
            out = side * [lean, 0.6 * lean, 0]
        else:
            a = 2 * np.pi * (i + 0.5) / count
            side = np.array([np.sin(a), -np.cos(a), 0.0])
            at, out = 0.3 * side * [top.width, top.depth, 0], lean * side
        tops.append(at + [0, 0, top.bottom + 0.3 * top.thickness])
        feet.append(at + out)
    for head, foot in zip(tops, feet, strict=True):
        if hairpin:
            across = np.cross(foot - head, [0, 0, 1.0])
            across *= 0.045 / max(float(np.linalg.norm(across)), 1e-6)
            path = rounded_path(np.stack([head + across, foot + [0, 0, 0.006], head - across]), 0.03)
            build.add("leg", frame, tube(path, 0.006, sides=8))
        else:
            build.add("leg", frame, leg(head, foot, kind, size, rng, rng.uniform(0.5, 0.8)))
    if rng.random() < 0.4 and not hairpin and not top.round:
        x, y = np.abs(tops[0][:2])
        apron(build, float(x), float(y), top, rng.uniform(0.04, 0.08), frame)


def pedestal(build: PartBuilder, top: Top, surface: Surface, rng: np.random.Generator) -> None:
    """A column on a disc, a cross or a tripod."""
    radius = rng.uniform(0.025, 0.06) * (1.0 if min(top.width, top.depth) > 0.7 else 0.7)
    reach = rng.uniform(0.26, 0.36) * min(top.width, top.depth)
    foot = rng.integers(3)
    low = 0.02 if foot == 0 else rng.uniform(0.05, 0.14)
    if surface.metal or rng.random() < 0.5:
        profile = [(radius, low), (radius, top.bottom - 0.02), (min(3 * radius, reach), top.bottom + 0.003)]
    else:
        profile = [(r, low + z) for r, z in turned_profile(top.bottom + 0.003 - low, 1.4 * radius, rng)]
    build.add("base", surface, lathe(profile, 20))
    if foot == 0:
        rim = rng.uniform(0.008, 0.02)
        build.add("base", surface, lathe([(reach, 0), (reach, rim), (radius, rim + rng.uniform(0.01, 0.06))], 32))
        return
    count = 3 if foot == 1 and top.round else 4
    section = rounded_rectangle(rng.uniform(0.03, 0.06), rng.uniform(0.025, 0.05), 0.006, 2)
    rise = rng.uniform(0.0, 0.06)
    for i in range(count):
        t = np.linspace(0, 1, 8)[:, None]
        a, b = np.array([0.0, 0.0, low + 0.04 + rise]), np.array([0.0, reach, 0.025])
        path = (1 - t) * a + t * b + np.sin(np.pi * t) * np.array([0, 0, 0.3 * rise])
        arm = sweep(path, section, np.linspace(1.1, 0.8, 8).tolist(), (0, 0, 1))
        build.add("base", surface, arm.turned(360 * (i + 0.5) / count))


def trestles(build: PartBuilder, top: Top, surface: Surface, rng: np.random.Generator) -> None:
    """Two A-shaped or I-shaped stands, tied by a beam or not."""
    x = top.width / 2 - rng.uniform(0.12, 0.3) * min(top.width, 1.2)
    deep = 0.4 * top.depth
    size = rng.uniform(0.035, 0.06)
    section = rounded_rectangle(size, size, 0.004, 2)
    style = rng.integers(3)
    for side in (-x, x):
        build.add("leg", surface, box((size, 2 * deep, size), (side, 0, top.bottom - size / 2 + 0.002), 0.004))
        if style == 0:  # an A of two leaning pairs
            for sx in (-1, 1):
                for sy in (-1, 1):
                    start = (side + 0.01 * sx, sy * 0.8 * deep, top.bottom - 0.01)
                    build.add("leg", surface, bar(start, (side + sx * 0.14, sy * deep, 0.0), 0.7 * section))
                build.add("leg", surface, box((0.02, 1.7 * deep, 0.04), (side + sx * 0.085, 0, 0.4 * top.height)))
        elif style == 1:  # an I
            build.add("leg", surface, box((size, 0.5 * deep, top.bottom - 0.02), (side, 0, top.bottom / 2), 0.004))
            build.add("leg", surface, box((1.3 * size, 2 * deep, 1.2 * size), (side, 0, 0.6 * size), 0.006))
        else:  # an X
            for sy in (-1, 1):
                ends = ((side, sy * deep, top.bottom - 0.02), (side, -sy * deep, 0.0))
                build.add("leg", surface, bar(*ends, section, up=(1, 0, 0)))
    if style > 0:
        z = top.height * (0.5 if style == 2 else rng.uniform(0.25, 0.5))
        build.add(
            "leg", surface, bar((-x, 0, z), (x, 0, z), rounded_rectangle(size, 1.6 * size, 0.004, 2), up=(0, 0, 1))
        )


def loops(build: PartBuilder, top: Top, plate: Surface, surface: Surface, rng: np.random.Generator) -> None:
    """A frame of bars at each end (a U or a trapezoid), sometimes with a shelf."""
    x = top.width / 2 - rng.uniform(0.03, 0.16) * top.width
    y = top.corner * top.depth / 2 - rng.uniform(0.01, 0.05)
    size = rng.uniform(0.02, 0.06)
    section = rounded_rectangle(size, rng.uniform(0.4, 1.0) * size, 0.002, 2)
    waist = rng.choice([1.0, rng.uniform(0.6, 0.85)])
    for side in (-x, x):
        points = [
            (side, -waist * y, top.bottom - size / 2), (side, -y, size / 2), (side, y, size / 2),
            (side, waist * y, top.bottom - size / 2),
        ]  # fmt: skip
        build.add(
            "leg", surface, sweep(rounded_path(points, 0.012, closed=True, steps=3), section, up=(1, 0, 0), closed=True)
        )
    if rng.random() < 0.3:
        z = rng.uniform(0.2, 0.4) * top.height
        build.add("shelf", plate, box((2 * x, 1.7 * y * min(waist, 0.9), 0.02), (0, 0, z), 0.003))
    elif rng.random() < 0.5:
        build.add("leg", surface, bar((-x, 0, size / 2), (x, 0, size / 2), section, up=(0, 0, 1)))


def planks(build: PartBuilder, top: Top, surface: Surface, rng: np.random.Generator) -> None:
    """A board at each end down to the floor, with a shelf or a board between them."""
    thick = rng.uniform(0.02, 0.06)
    x = top.corner * top.width / 2 - thick / 2 - rng.choice([0.0, rng.uniform(0.03, 0.2) * top.width])
    depth = top.corner * top.depth * rng.uniform(0.8, 1.0)
    for side in (-x, x):
        build.add("leg", surface, box((thick, depth, top.bottom + 0.003), (side, 0, top.bottom / 2), 0.003))
    count = int(rng.integers(0, 3)) if top.height < 0.6 or top.depth < 0.45 else int(rng.integers(0, 2))
    for i in range(count):
        z = top.bottom * (i + 1) / (count + 1) * rng.uniform(0.8, 1.0)
        build.add("shelf", surface, box((2 * x, 0.95 * depth, 0.02), (0, 0, z), 0.002))
    if count == 0:
        z = top.bottom - rng.uniform(0.08, 0.3)
        build.add("apron", surface, box((2 * x, 0.02, 2 * (top.bottom - z)), (0, 0.3 * depth, z), 0.002))


def drum(build: PartBuilder, top: Top, surface: Surface, rng: np.random.Generator) -> None:
    """A closed drum or a block under the top."""
    share = rng.uniform(0.4, 0.8)
    if top.round:
        w = share * top.width / 2
        profile = [
            (w * rng.uniform(0.7, 1.1), 0.0),
            (w, 0.5 * top.bottom),
            (w * rng.uniform(0.8, 1.1), top.bottom + 0.002),
        ]
        build.add("base", surface, lathe(profile, 32).mapped(lambda p: p * [1, top.depth / top.width, 1]))
        return
    outline = rounded_rectangle(share * top.width, share * top.depth, 0.01)
    build.add("base", surface, slab(outline, top.bottom + 0.002, 0.003))


def cabinets(build: PartBuilder, top: Top, plate: Surface, frame: Surface, rng: np.random.Generator) -> None:
    """A desk on one or two drawer cabinets; the open end stands on legs or a board."""
    both = rng.random() < 0.35
    width = rng.uniform(0.32, 0.42)
    depth = top.corner * top.depth * rng.uniform(0.85, 0.97)
    foot = rng.choice([0.0, rng.uniform(0.04, 0.1)])
    full = rng.random() < 0.7
    bottom = foot if full else top.bottom * rng.uniform(0.4, 0.6)
    knob = metal(rng)
    sides = (-1, 1) if both else (int(rng.choice([-1, 1])),)
    for side in sides:
        x = side * (top.corner * top.width / 2 - width / 2 - 0.01)
        middle = (top.bottom + bottom) / 2
        build.add("drawer", frame, box((width, depth, top.bottom - bottom + 0.004), (x, 0, middle), 0.003))
        count = int(rng.integers(2, 5)) if full else int(rng.integers(1, 3))
        each = (top.bottom - bottom) / count
        for i in range(count):
            z = bottom + (i + 0.5) * each
            build.add("drawer", plate, box((width - 0.02, 0.018, each - 0.015), (x, -depth / 2 - 0.006, z), 0.003))
            build.add("drawer", knob, _knob(x, -depth / 2 - 0.015, z + 0.2 * each, rng))
        if bottom > 0:
            for sx in (-1, 1):
                for sy in (-1, 1):
                    at = np.array([x + sx * (width / 2 - 0.03), sy * (depth / 2 - 0.03), bottom + 0.01])
                    build.add("leg", frame, leg(at, at * [1, 1, 0], "square", 0.035, rng))
    if not both:
        _open_end(build, -sides[0] * (top.corner * top.width / 2 - 0.04), depth, top, frame, rng)
    if rng.random() < 0.4:
        build.add(
            "apron",
            frame,
            box((top.corner * top.width - 0.1, 0.018, 0.3), (0, depth / 2 - 0.02, top.bottom - 0.149), 0.002),
        )


def _open_end(build: PartBuilder, x: float, depth: float, top: Top, surface: Surface, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        build.add("leg", surface, box((0.03, depth, top.bottom + 0.003), (x, 0, top.bottom / 2), 0.003))
        return
    for sy in (-1, 1):
        at = np.array([x, sy * (depth / 2 - 0.03), top.bottom + 0.003])
        build.add("leg", surface, leg(at, at * [1, 1, 0], "square", 0.045, rng, 0.8))
