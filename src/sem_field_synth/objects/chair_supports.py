"""Supports of parametric chairs and of their arms: legs, stretchers, star bases, sleds, armrests."""

from __future__ import annotations

import numpy as np

from sem_field_synth.objects.part_mesh import PartBuilder
from sem_field_synth.objects.seat import Seat
from sem_field_synth.objects.solids import (
    Solid,
    bar,
    box,
    lathe,
    polygon,
    rounded_path,
    rounded_rectangle,
    slab,
    superellipse,
    tube,
)
from sem_field_synth.objects.surfaces import Surface


def half_width(seat: Seat, y: float) -> float:
    """Half the seat's width at depth y (from -depth/2 in front to +depth/2)."""
    share = y / seat.depth + 0.5
    if seat.round:
        return seat.width / 2 * float(np.sqrt(max(1 - (2 * y / seat.depth) ** 2, 0.05)))
    return seat.width / 2 * (1 + share * (seat.taper - 1))


def leg(
    top: np.ndarray, foot: np.ndarray, kind: str, size: float, rng: np.random.Generator, narrow: float = 0.7
) -> Solid:
    """One straight leg from `top` to `foot`, `size` across: square, round, tube or turned."""
    if kind == "turned":
        length = float(np.linalg.norm(top - foot))
        profile = turned_profile(length, size / 2, rng)
        lean = (top - foot) / (top[2] - foot[2])  # sheared, not turned, so that it stands flat
        return lathe(profile, 14).mapped(
            lambda p: foot + p * [1, 1, 0] + p[:, 2:] * (lean * (top[2] - foot[2]) / length)
        )
    if kind == "square":
        section = rounded_rectangle(size, size, 0.12 * size, 2)
        return bar(top, foot, section, section * narrow)
    section = polygon(12, size / 2)
    return bar(top, foot, section, section * (1.0 if kind == "tube" else narrow))


def turned_profile(length: float, radius: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Radii of a turned leg, (radius, height) from 0 to `length`."""
    heights = np.linspace(0, 1, 26)
    beads = 0.22 * np.sin(heights * np.pi * 2 * rng.integers(2, 5) + rng.uniform(0, 6)) * np.sin(heights * np.pi)
    radii = radius * (0.6 + 0.4 * heights + beads)
    return [(float(r), float(h) * length) for r, h in zip(radii, heights, strict=True)]


def four_legs(
    build: PartBuilder,
    seat: Seat,
    surface: Surface,
    rng: np.random.Generator,
    kind: str,
    *,
    splay: bool = False,
    ring: bool = False,
) -> None:
    """Four legs under the seat, with stretchers (or a ring for the feet) and sometimes a frame under the seat."""
    size = {"square": (0.028, 0.048), "round": (0.024, 0.04), "turned": (0.035, 0.05), "tube": (0.016, 0.026)}[kind]
    width = rng.uniform(*size)
    lean = rng.uniform(0.08, 0.24) if splay else rng.choice([0.0, rng.uniform(0.01, 0.06)])
    inset = width / 2 + (rng.uniform(0.02, 0.08) if splay else rng.uniform(0.0, 0.015) + 0.25 * seat.radius)
    narrow = rng.uniform(0.5, 0.75) if splay else rng.uniform(0.6, 1.0)
    tops, feet = [], []
    for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        y = sy * (seat.depth / 2 * (0.68 if seat.round else 1) - inset)
        x = sx * ((0.68 * seat.width / 2 if seat.round else half_width(seat, y)) - inset)
        tops.append(np.array([x, y, seat.bottom + 0.3 * seat.thickness]))
        spread = lean * seat.bottom
        feet.append(np.array([x + sx * spread * 0.7, y + sy * spread * (1.0 if sy > 0 else 0.7), 0.0]))
    for top, foot in zip(tops, feet, strict=True):
        build.add("leg", surface, leg(top, foot, kind, width, rng, narrow))
    if ring:
        _foot_ring(build, tops, feet, surface, rng.uniform(0.28, 0.42), kind)
    elif rng.random() < 0.4:
        stretchers(build, tops, feet, surface, rng, "leg")
    if kind in ("square", "turned") and not seat.round and rng.random() < 0.7:
        _frame(build, tops, seat.bottom, surface, rng.uniform(0.03, 0.07))


def _at_height(tops: list[np.ndarray], feet: list[np.ndarray], z: float) -> list[np.ndarray]:
    return [foot + (top - foot) * (z - foot[2]) / (top[2] - foot[2]) for top, foot in zip(tops, feet, strict=True)]


def _foot_ring(
    build: PartBuilder, tops: list[np.ndarray], feet: list[np.ndarray], surface: Surface, share: float, kind: str
) -> None:
    corners = _at_height(tops, feet, share * tops[0][2])
    if kind == "tube":
        build.add("leg", surface, tube(rounded_path(corners, 0.06, closed=True), 0.009, closed=True))
        return
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        build.add("leg", surface, bar(a, b, polygon(10, 0.011)))


def stretchers(
    build: PartBuilder,
    tops: list[np.ndarray],
    feet: list[np.ndarray],
    surface: Surface,
    rng: np.random.Generator,
    part: str,
) -> None:
    """Bars that tie legs (in order round the seat, front left first) together: a box, an H, or the sides only."""
    section = rounded_rectangle(0.018, 0.026, 0.004, 2) if rng.random() < 0.6 else polygon(10, 0.01)
    a, b, c, d = _at_height(tops, feet, rng.uniform(0.2, 0.5) * tops[0][2])
    style = rng.integers(3)
    pairs = [(a, d), (b, c)]
    if style == 0:
        pairs += [(a, b), (c, d)]
    elif style == 1:
        pairs.append(((a + d) / 2, (b + c) / 2))
    for start, end in pairs:
        build.add(part, surface, bar(start, end, section, up=(0, 0, 1)))


def _frame(build: PartBuilder, tops: list[np.ndarray], bottom: float, surface: Surface, height: float) -> None:
    """The frame right under the seat; it counts as seat."""
    section = rounded_rectangle(0.02, height, 0.002, 2)
    ring = [np.array([top[0], top[1], bottom - height / 2 + 0.002]) for top in tops]
    for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
        build.add("seat", surface, bar(a, b, section, up=(0, 0, 1)))


def star_base(
    build: PartBuilder,
    seat: Seat,
    surface: Surface,
    feet: Surface,
    rng: np.random.Generator,
    wheels: bool = True,
) -> None:
    """Column and star of four or five arms, on wheels or glides."""
    count = 5 if rng.random() < 0.8 or wheels else 4
    reach = rng.uniform(0.26, 0.34)
    wheel = rng.uniform(0.022, 0.03) if wheels else 0.012
    low = 2 * wheel + 0.01
    hub = low + rng.uniform(0.02, 0.05)
    thick = rng.uniform(0.03, 0.05)
    column = rng.uniform(0.018, 0.03)
    profile = [(column * 1.7, low - 0.01), (column * 1.7, hub), (column, hub + 0.04), (column, seat.bottom + 0.01)]
    build.add("base", surface, lathe(profile, 16))
    build.add("base", feet, box((0.16, 0.2, 0.03), (0, 0, seat.bottom - 0.012), 0.006))
    turn = rng.uniform(0, 360 / count)
    section = rounded_rectangle(thick, 0.7 * thick, 0.008, 2)
    for i in range(count):
        arm = bar((0, 0.0, hub - 0.01), (0, reach, low + 0.006), section, 0.7 * section, (0, 0, 1))
        build.add("base", surface, arm.turned(turn + i * 360 / count))
        build.add("base", feet, *[s.turned(turn + i * 360 / count) for s in _foot(reach - 0.01, wheel, wheels, rng)])


def _foot(reach: float, radius: float, wheels: bool, rng: np.random.Generator) -> list[Solid]:
    """A twin wheel (or a glide) at distance `reach` along y, under the end of a star's arm."""
    if not wheels:
        return [lathe([(0.016, 0.0), (0.016, 0.04)], 12).moved(y=reach)]
    swivel = rng.uniform(0, 360)
    disc = slab(polygon(16, radius), 0.018, 0.004).turned(90, "y")
    pair = [disc.moved(x=side - 0.009, z=radius).turned(swivel).moved(y=reach) for side in (-0.014, 0.014)]
    return [*pair, lathe([(0.006, radius), (0.006, 2 * radius + 0.012)], 8).moved(y=reach)]


def disc_base(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator, ring: bool = False) -> None:
    """A disc on the floor and a column; with a ring for the feet on bar stools."""
    radius = rng.uniform(0.19, 0.25)
    column = rng.uniform(0.02, 0.035)
    rise = rng.uniform(0.01, 0.05)
    profile = [(radius, 0.0), (radius, 0.01), (2.2 * column, 0.01 + rise), (column, 0.03 + rise), (column, seat.bottom)]
    build.add(
        "base", surface, lathe([*profile[:-1], (column, 0.8 * seat.bottom), (column * 0.9, seat.bottom + 0.005)], 28)
    )
    build.add("base", surface, lathe([(0.08, seat.bottom - 0.015), (0.1, seat.bottom + 0.003)], 20))
    if ring:
        z = rng.uniform(0.3, 0.4) * seat.height
        circle = superellipse(0.3, 0.3, 2.0, 32)
        build.add("base", surface, tube(np.column_stack([circle, np.full(32, z)]), 0.009, closed=True))
        build.add("base", surface, bar((0, 0, z), (0, -0.15, z), polygon(8, 0.008)))


def sled(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator) -> None:
    """Two loops of tube that run along the floor, tied under the seat."""
    radius = rng.uniform(0.008, 0.013)
    y = seat.depth / 2 - 0.03
    lean = rng.uniform(0.0, 0.06)
    top = seat.bottom + 0.2 * seat.thickness
    for side in (-1, 1):
        x, foot = side * (half_width(seat, y) - 0.025), side * (half_width(seat, y) - 0.025 + lean)
        points = [(x, -y, top), (foot, -y - lean, radius), (foot, y + lean, radius), (x, y, top)]
        build.add("leg", surface, tube(rounded_path(points, 0.05), radius))
    x = half_width(seat, y) - 0.025
    for end in (-y, y):
        build.add("leg", surface, bar((-x, end, top - radius), (x, end, top - radius), polygon(8, radius)))


def cantilever(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator) -> None:
    """One bent tube: under the seat, down in front, back along the floor and across."""
    radius = rng.uniform(0.01, 0.014)
    x = half_width(seat, 0) - 0.015
    front, rear = -seat.depth / 2 + 0.03, seat.depth / 2
    top = seat.bottom - 0.3 * radius
    bow = rng.uniform(0.0, 0.06)
    one = [(x, rear - 0.02, top), (x, front, top), (x, front - bow, radius), (x, rear - 0.02, radius)]
    points = [*one, *[(-a, b, c) for a, b, c in one[::-1]]]
    build.add("leg", surface, tube(rounded_path(points, rng.uniform(0.04, 0.09), steps=6), radius))
    build.add("leg", surface, bar((-x, front + 0.06, top), (x, front + 0.06, top), polygon(8, radius)))


def short_feet(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator, side: float) -> None:
    """Four short feet under an upholstered body that is `side` wider than the seat on both sides."""
    kind = ("square", "round")[rng.integers(2)]
    size = rng.uniform(0.03, 0.055)
    lean = rng.uniform(0, 0.15)
    for sx in (-1, 1):
        for sy in (-1, 1):
            top = np.array([sx * (seat.width / 2 + 0.4 * side), sy * (seat.depth / 2 - 0.04), seat.bottom + 0.02])
            foot = top * [1, 1, 0] + np.array([sx * lean, sy * lean, 0]) * seat.bottom
            build.add("leg", surface, leg(top, foot, kind, size, rng, rng.uniform(0.5, 0.95)))
