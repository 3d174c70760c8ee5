"""Backs of parametric chairs: boards, slats, ladders, spindles, medallions, padded and bent shells."""

from __future__ import annotations

import numpy as np

from sem_field_synth.objects.chair_panels import Height, Map, arched, back_plane, panel
from sem_field_synth.objects.chair_supports import half_width
from sem_field_synth.objects.part_mesh import PartBuilder
from sem_field_synth.objects.seat import Seat
from sem_field_synth.objects.solids import (
    Solid,
    bar,
    box,
    polygon,
    rounded_path,
    rounded_rectangle,
    sweep,
    tube,
)
from sem_field_synth.objects.surfaces import Surface


def wooden_back(
    build: PartBuilder, seat: Seat, frame: Surface, fill: Surface, rng: np.random.Generator, soft: bool = False
) -> None:
    """Posts with boards, slats, rungs, a cross or a splat between them; or a hoop with spindles; or a medallion."""
    height = rng.uniform(0.36, 0.56)
    half = 0.37 * seat.width if seat.round else half_width(seat, 0.5 * seat.depth) - 0.018
    curve = rng.choice([0.0, rng.uniform(0.01, 0.045)])
    onto = back_plane(seat, rng.uniform(3, 15), 0.02 if not seat.round else 0.06, curve, half)
    kind = "panel" if soft else str(rng.choice(["panel", "slats", "ladder", "cross", "splat", "hoop", "medallion"]))
    if soft and rng.random() < 0.25:
        kind = "medallion"
    if kind == "hoop":
        _hoop(build, half, height, onto, frame, rng)
        return
    if kind == "medallion":
        _medallion(build, half, height, onto, frame, fill, rng, 0.02 if soft else 0.0)
        return
    post = rng.uniform(0.024, 0.036)
    section = rounded_rectangle(post, post, 0.25 * post, 2) if rng.random() < 0.7 else polygon(10, post / 2)
    for side in (-1, 1):
        straight = bar((side * half, 0, -seat.thickness), (side * half, 0, height), section, 0.85 * section)
        build.add("back", frame, straight.mapped(onto))
    _fill(build, kind, half, height, onto, frame, fill, rng, soft)


def _fill(
    build: PartBuilder,
    kind: str,
    half: float,
    height: float,
    onto: Map,
    frame: Surface,
    fill: Surface,
    rng: np.random.Generator,
    soft: bool,
) -> None:
    board = rng.uniform(0.014, 0.022)
    low = rng.uniform(0.05, 0.16)
    rise = rng.choice([0.0, rng.uniform(0.01, 0.06)])
    rail = rng.uniform(0.04, 0.09)
    width = 2 * half
    if kind == "panel":
        start = low if rng.random() < 0.7 else 0.0
        end = arched(height + rise, rise)
        build.add("back", fill, panel(width, start, end, board * (2 if soft else 1), 0.02 * soft).mapped(onto))
        return
    top = panel(width + 0.02, height - rail, arched(height + rise, rise), board + 0.004)
    build.add("back", frame, top.mapped(onto))
    if kind == "ladder":
        count = int(rng.integers(1, 5))
        step = (height - rail - low) / (count + 0.5)
        for i in range(count):
            z = low + i * step
            rung = panel(width, z, arched(z + min(rail, 0.6 * step) + rise / 2, rise / 2), board)
            build.add("back", frame, rung.mapped(onto))
        return
    build.add("back", frame, panel(width, low - 0.02, low + 0.02, board).mapped(onto))
    top_z = height - rail + 0.01
    if kind == "slats":
        count = int(rng.integers(3, 9))
        broad = min(rng.uniform(0.4, 0.7) * width / (count + 1), 0.05)
        for x in np.linspace(-half, half, count + 2)[1:-1]:
            build.add(
                "back", fill, bar((x, 0, low), (x, 0, top_z), rounded_rectangle(broad, 0.012, 0.003, 2)).mapped(onto)
            )
    elif kind == "cross":
        flat = rounded_rectangle(0.026, 0.012, 0.003, 2)
        for side in (-1, 1):
            build.add("back", fill, _board((-side * half, low), (side * half, top_z), flat).mapped(onto))
    else:  # splat
        waist = rng.uniform(0.35, 0.7)
        broad = rng.uniform(0.1, 0.18)
        flat = rounded_rectangle(broad, 0.012, 0.003, 2)
        heights = np.linspace(low, top_z, 9)
        scale = 1 - (1 - waist) * np.sin(np.linspace(0, np.pi, 9)) ** 2
        path = np.column_stack([np.zeros(9), np.zeros(9), heights])
        build.add("back", fill, sweep(path, flat, scale.tolist(), (0, 1, 0)).mapped(onto))


def _board(start: tuple[float, float], end: tuple[float, float], section: np.ndarray) -> Solid:
    """A flat bar in the plane of the back, cut fine so that it bends with it."""
    t = np.linspace(0, 1, 9)[:, None]
    a, b = np.array([start[0], 0, start[1]]), np.array([end[0], 0, end[1]])
    return sweep((1 - t) * a + t * b, section, up=(0, 1, 0))


def _hoop(
    build: PartBuilder, half: float, height: float, onto: Map, surface: Surface, rng: np.random.Generator
) -> None:
    """A bent bow with spindles under it (Windsor chair)."""
    radius = rng.uniform(0.009, 0.014)
    angle = np.linspace(0, np.pi, 25)
    shape = rng.uniform(0.6, 0.9)  # below 1: straighter sides
    x = half * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** shape
    w = (height + 0.03) * np.sin(angle) ** shape - 0.02
    build.add("back", surface, tube(np.column_stack([x, np.zeros(25), w]), radius).mapped(onto))
    count = int(rng.integers(4, 10))
    for place in np.linspace(-0.8, 0.8, count):
        top = (height + 0.03) * (1 - abs(place) ** (2 / shape)) ** (shape / 2) - 0.02
        spindle = bar((0.85 * place * half, 0, -0.02), (place * half, 0, top), polygon(8, 0.0055))
        build.add("back", surface, spindle.mapped(onto))


def _medallion(
    build: PartBuilder,
    half: float,
    height: float,
    onto: Map,
    frame: Surface,
    fill: Surface,
    rng: np.random.Generator,
    pillow: float,
) -> None:
    """A round or oval frame with a panel in it, on two short posts."""
    low = rng.uniform(0.06, 0.14)
    middle, tall = (height + low) / 2, (height - low) / 2
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    ring = np.column_stack([half * np.cos(angle), np.zeros(36), middle + tall * np.sin(angle)])
    build.add(
        "back", frame, sweep(ring, polygon(10, rng.uniform(0.011, 0.017)), up=(0, 1, 0), closed=True).mapped(onto)
    )
    build.add(
        "back", fill,
        panel(
            1.96 * half, lambda s: middle - tall * np.sqrt(1 - s**2), lambda s: middle + tall * np.sqrt(1 - s**2),
            0.014, pillow,
        ).mapped(onto),
    )  # fmt: skip
    for side in (-1, 1):
        x = side * 0.62 * half
        build.add("back", frame, bar((x, 0, -0.03), (x, 0, low + 0.25 * tall), polygon(10, 0.013)).mapped(onto))


def office_back(build: PartBuilder, seat: Seat, frame: Surface, fill: Surface, rng: np.random.Generator) -> None:
    """A padded back on a spine, sometimes with a headrest."""
    gap = rng.uniform(0.02, 0.14)
    height = gap + rng.uniform(0.32, 0.66)
    half = rng.uniform(0.19, 0.25)
    onto = back_plane(seat, rng.uniform(4, 14), -0.02, rng.uniform(0.02, 0.07), half)
    rise = rng.uniform(0.0, 0.12)
    thick = rng.uniform(0.02, 0.05)
    build.add(
        "back", fill, panel(2 * half, gap, arched(height, rise, 3.0), thick, rng.uniform(0.01, 0.04)).mapped(onto)
    )
    rear = seat.depth / 2
    start = (0.0, rear - 0.12, seat.bottom - 0.006)
    points = [
        start,
        (0.0, rear + 0.06, seat.bottom - 0.006),
        (0.0, rear + 0.09 + 0.1 * height, seat.height + 0.5 * height),
    ]
    section = rounded_rectangle(rng.uniform(0.05, 0.08), 0.016, 0.005, 2)
    build.add("back", frame, sweep(rounded_path(points, 0.05), section, up=(0, 0, 1)))
    if height > 0.5 and rng.random() < 0.4:
        rest = panel(1.1 * half, height + 0.01, height + 0.02 + rng.uniform(0.09, 0.14), 0.035, 0.015)
        build.add("back", fill, rest.mapped(onto))
        build.add(
            "back",
            frame,
            bar((0, 0.01, height - rise - 0.05), (0, 0.01, height + 0.06), polygon(8, 0.012)).mapped(onto),
        )


def padded_back(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator, side: float) -> None:
    """The thick back of an armchair; with wings on tall ones."""
    height = rng.uniform(0.34, 0.62)
    thick = rng.uniform(0.1, 0.17)
    width = seat.width + (2 * side if rng.random() < 0.6 else -0.01)
    onto = back_plane(seat, rng.uniform(4, 16), 0.0)
    rise = rng.choice([0.0, rng.uniform(0.02, 0.12)])
    low = -seat.thickness
    build.add("back", surface, panel(width, low, arched(height, rise), thick, rng.uniform(0.0, 0.03)).mapped(onto))
    if height > 0.5 and rng.random() < 0.6:
        for sign in (-1, 1):
            wing = box((0.05, 0.2, 0.55 * height), (sign * (width / 2 - 0.03), -0.12, 0.68 * height), 0.02)
            build.add("back", surface, wing.mapped(onto))


def low_back(build: PartBuilder, seat: Seat, frame: Surface, fill: Surface, rng: np.random.Generator) -> None:
    """The low back of a bar stool; one in six has none."""
    if rng.random() < 1 / 6:
        return
    height = rng.uniform(0.16, 0.36)
    half = 0.44 * seat.width
    onto = back_plane(seat, rng.uniform(2, 10), 0.2 * seat.depth if seat.round else 0.03, rng.uniform(0.02, 0.08), half)
    rail = rng.uniform(0.05, 0.6 * height)
    build.add("back", fill, panel(2 * half, height - rail, height, rng.uniform(0.014, 0.03)).mapped(onto))
    for side in (-0.85, 0.85):
        build.add(
            "back",
            frame,
            bar((side * half, 0.0, -0.01), (side * half, 0.0, height - 0.3 * rail), polygon(8, 0.009)).mapped(onto),
        )


def tube_back(build: PartBuilder, seat: Seat, tubes: Surface, fill: Surface, rng: np.random.Generator) -> None:
    """A bent tube up and over, with cloth or a board between its sides."""
    height = rng.uniform(0.36, 0.48)
    half = half_width(seat, 0) - 0.015
    onto = back_plane(seat, rng.uniform(6, 16), 0.01, rng.uniform(0.0, 0.03), half)
    points = [(half, 0, -seat.thickness), (half, 0, height), (-half, 0, height), (-half, 0, -seat.thickness)]
    path = rounded_path(points, rng.uniform(0.03, 0.1), steps=7)
    build.add("back", tubes, tube(path, rng.uniform(0.009, 0.013)).mapped(onto))
    low = rng.uniform(0.06, 0.2)
    build.add("back", fill, panel(2 * half, low, height - 0.02, rng.uniform(0.01, 0.03)).mapped(onto))


def shell_back(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator, arms: bool) -> None:
    """A bent shell that grows out of the seat; optionally its sides come forward as arms."""
    height = rng.uniform(0.3, 0.46)
    half = max(half_width(seat, 0.45 * seat.depth) + rng.uniform(-0.01, 0.02), 0.4 * seat.width)
    curve = rng.uniform(0.03, 0.1)
    onto = back_plane(seat, rng.uniform(8, 20), 0.015 if not seat.round else 0.05, curve, half)
    thick = rng.uniform(0.01, 0.022)
    top = arched(height, rng.uniform(0.02, 0.14), rng.uniform(2, 5))
    low: Height = -0.6 * seat.thickness
    if rng.random() < 0.3:  # an opening at the seat, two stems at the sides
        low = rng.uniform(0.05, 0.1)
        for side in (-0.7, 0.7):
            stem = panel(0.07, -0.6 * seat.thickness, low + 0.03, thick).moved(x=side * half)
            build.add("back", surface, stem.mapped(onto))
    build.add("back", surface, panel(2 * half, low, top, thick).mapped(onto))
    if not arms:
        return
    rise = rng.uniform(0.15, 0.2)
    for side in (-1, 1):
        front = -seat.depth * rng.uniform(0.2, 0.4)
        rear = seat.depth / 2 - 0.02
        x = side * (half_width(seat, 0) + 0.004)
        wing = panel(rear - front, -0.6 * seat.thickness, lambda s: rise * (0.62 + 0.38 * s), thick)
        build.add("arm", surface, wing.turned(90).moved(x, (rear + front) / 2, seat.height))
