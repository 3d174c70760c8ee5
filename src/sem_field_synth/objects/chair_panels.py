"""Flat pieces of a chair's back and the map that leans and bends them onto the chair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sem_field_synth.objects.seat import Seat
from sem_field_synth.objects.solids import Solid, loft

Height = float | Callable[[np.ndarray], np.ndarray]
Map = Callable[[np.ndarray], np.ndarray]


def back_plane(seat: Seat, recline_deg: float, inset: float, curve: float = 0.0, half: float = 0.2) -> Map:
    """Map of points (across, behind, up) of a flat back onto the chair.

    It starts at the seat's top, `inset` before its rear edge, leans back by `recline_deg`; points `half` to the side
    come forward by `curve`.
    """
    s, c = np.sin(np.radians(recline_deg)), np.cos(np.radians(recline_deg))

    def onto(p: np.ndarray) -> np.ndarray:
        behind = p[:, 1] - curve * (p[:, 0] / half) ** 2
        y = seat.depth / 2 - inset + p[:, 2] * s + behind * c
        return np.stack([p[:, 0], y, seat.height + p[:, 2] * c - behind * s], -1)

    return onto


def panel(width: float, low: Height, high: Height, thickness: float, pillow: float = 0.0, steps: int = 17) -> Solid:
    """A board in the plane (across, up), thick along y, fine enough to bend; its heights may vary across.

    low, high  heights, or functions of the position across in -1..1;   pillow  how much the front swells, metres
    """
    across = np.sin(np.linspace(-np.pi / 2, np.pi / 2, steps)) * 0.999  # finer towards the sides
    up = np.linspace(0, 1, 9)
    rings = []
    for s in across:
        bottom, top = (h(np.array(s)) if callable(h) else h for h in (low, high))
        edge = np.sqrt(max(1 - abs(s) ** 8, 0.03))
        w = bottom + (top - bottom) * up
        rim = np.sqrt(np.maximum(1 - np.abs(2 * up - 1) ** 10, 0.08))
        swell = pillow * (1 - s**2) ** 0.6 * (1 - (2 * up - 1) ** 4)
        front = np.column_stack([np.full(9, s * width / 2), -thickness / 2 * edge * rim - swell, w])
        rear = np.column_stack([np.full(9, s * width / 2), thickness / 2 * edge * rim, w])
        rings.append(np.concatenate([front, rear[::-1]]))
    return loft(np.array(rings))


def arched(height: float, rise: float, power: float = 2.0) -> Callable[[np.ndarray], np.ndarray]:
    """A top edge that stands `rise` higher in the middle than at the sides."""
    return lambda s: height - rise * np.abs(s) ** power
