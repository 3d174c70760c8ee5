"""Arms of parametric chairs: rails on posts, office armrests, upholstered sides, bent tubes."""

from __future__ import annotations

import numpy as np

from sem_field_synth.objects.chair_supports import half_width
from sem_field_synth.objects.part_mesh import PartBuilder
from sem_field_synth.objects.seat import Seat
from sem_field_synth.objects.solids import bar, box, rounded_path, rounded_rectangle, slab, superellipse, tube
from sem_field_synth.objects.surfaces import Surface


def post_arms(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator) -> None:
    """A rail on each side from the back to a post on the seat's front."""
    rise = rng.uniform(0.18, 0.24)
    front = -seat.depth / 2 * rng.uniform(0.35, 0.8)
    thick, broad = rng.uniform(0.018, 0.03), rng.uniform(0.03, 0.055)
    section = rounded_rectangle(broad, thick, 0.4 * thick, 3)
    rear = seat.depth / 2 + (-0.03 if seat.round else 0.01)
    for side in (-1, 1):
        x = side * (half_width(seat, front) - 0.005)
        foot, head = (x, front, seat.bottom), (x, front - 0.01, seat.height + rise - thick / 2)
        build.add("arm", surface, bar(foot, head, rounded_rectangle(0.026, 0.026, 0.006, 2)))
        x_rear = side * (0.36 * seat.width if seat.round else half_width(seat, seat.depth / 2) - 0.01)
        start, end = (x_rear, rear + 0.03, seat.height + rise + 0.01), (x, front - 0.05, seat.height + rise)
        build.add("arm", surface, bar(start, end, section, up=(0, 0, 1)))


def office_arms(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator) -> None:
    """Padded armrests on one post each, or on a bent bracket."""
    rise = rng.uniform(0.16, 0.25)
    length, broad = rng.uniform(0.2, 0.28), rng.uniform(0.05, 0.085)
    bracket = rng.random() < 0.4
    for side in (-1, 1):
        x = side * (half_width(seat, 0) + broad / 2 + 0.005)
        z = seat.height + rise
        pad = slab(rounded_rectangle(broad, length, 0.45 * broad), 0.03, 0.01).moved(x, -0.01, z - 0.03)
        build.add("arm", surface, pad)
        inner = side * (half_width(seat, 0) - 0.1)
        low = seat.bottom - 0.008
        if bracket:
            points = [
                (x, -0.4 * length, z - 0.02),
                (x, -0.2 * length, low),
                (x, 0.25 * length, low),
                (x, 0.4 * length, z - 0.02),
            ]
            build.add("arm", surface, tube(rounded_path(points, 0.05), 0.014))
        else:
            build.add("arm", surface, box((0.03, 0.06, z - 0.02 - low), (x, 0.01, (z - 0.02 + low) / 2), 0.008))
        build.add(
            "arm",
            surface,
            bar((inner, 0.01, low), (x, 0.01, low), rounded_rectangle(0.05, 0.016, 0.003, 2), up=(0, 0, 1)),
        )


def block_arms(build: PartBuilder, seat: Seat, surface: Surface, rng: np.random.Generator, side: float) -> None:
    """Upholstered sides of an armchair."""
    height = seat.height + rng.uniform(0.16, 0.28) - seat.bottom
    depth = seat.depth + rng.uniform(0.0, 0.04)
    roll = rng.random() < 0.3
    for sign in (-1, 1):
        x = sign * (seat.width / 2 + side / 2 - 0.002)
        radius = rng.uniform(0.2, 0.45) * side
        build.add("arm", surface, box((side, depth, height), (x, 0, seat.bottom + height / 2), radius))
        if roll:
            scroll = slab(superellipse(1.3 * side, 1.0 * side, 2.0, 20), depth + 0.02, 0.015).turned(90, "x")
            build.add(
                "arm", surface, scroll.moved(x + sign * 0.015, depth / 2 + 0.01, seat.bottom + height - 0.3 * side)
            )


def loop_arms(build: PartBuilder, seat: Seat, tubes: Surface, pad: Surface, rng: np.random.Generator) -> None:
    """A bent tube on each side of the seat, with a pad on it."""
    rise = rng.uniform(0.17, 0.22)
    front = -seat.depth / 2 + rng.uniform(0.02, 0.1)
    for side in (-1, 1):
        x = side * (half_width(seat, 0) + 0.012)
        rear = seat.depth / 2 + 0.03
        points = [(x, front, seat.bottom), (x, front, seat.height + rise), (x, rear, seat.height + rise)]
        build.add("arm", tubes, tube(rounded_path(points, 0.06), 0.011))
        if rng.random() < 0.7:
            size = (0.04, 0.6 * seat.depth, 0.018)
            build.add("arm", pad, box(size, (x, 0.02, seat.height + rise + 0.014), 0.007))
