"""How coarse a view must be to be ready in time, from the measured cost of its pixels. Works without ROS."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.surface import RenderedView

_LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_LEAST_PIXELS = 12  # of the shorter side: coarser images show nothing
_LATEST = 24  # measurements that count
_REACH = 16  # views of more than this many times the pixels that were measured cannot be predicted
_FADING = 0.85  # weight of a measurement against the next one: the load of a robot changes


class RenderCost:
    """Seconds that a view of n pixels takes: `fixed + n * per_pixel`, fitted to the latest renderings."""

    def __init__(self) -> None:
        self._measured: deque[tuple[float, float]] = deque(maxlen=_LATEST)  # pixels, seconds

    def add(self, pixels: int, seconds: float) -> None:
        """Record a rendering."""
        self._measured.append((float(pixels), max(float(seconds), 1e-6)))

    @property
    def pixels_per_s(self) -> float:
        """Pixels rendered in a second, over the latest renderings; NaN before the first."""
        pixels, seconds = np.array(self._measured).reshape(-1, 2).sum(axis=0)
        return float(pixels / seconds) if seconds else math.nan

    def predict(self, pixels: int) -> float:
        """Seconds that a view of so many pixels will hardly exceed; infinite if nothing like it was measured."""
        if not self._measured:
            return math.inf
        size, seconds = np.array(self._measured).T
        if pixels > _REACH * size.max():
            return math.inf
        fixed, per_pixel = self._fit(size, seconds)
        excess = float(np.percentile(seconds / (fixed + size * per_pixel) - 1, 80))
        return (fixed + max(pixels, size.min()) * per_pixel) * (1 + min(max(excess, 0.1), 1.0))

    @staticmethod
    def _fit(size: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
        """(fixed, per_pixel), neither negative: least squares, the newest measurements counting most."""
        weight = _FADING ** np.arange(len(size))[::-1]
        mean_size, mean_seconds = np.average(size, weights=weight), np.average(seconds, weights=weight)
        spread = float((weight * (size - mean_size) ** 2).sum())
        per_pixel = float(mean_seconds / mean_size)  # one size alone: as if all of its cost were its pixels'
        if spread > 0:
            slope = float((weight * (size - mean_size) * (seconds - mean_seconds)).sum()) / spread
            per_pixel = min(max(slope, 0.0), per_pixel)
        return float(mean_seconds - mean_size * per_pixel), per_pixel


def coarsenesses(camera: Intrinsics) -> list[int]:
    """By how much an image may be made smaller before it is rendered: 1 first, the coarsest last."""
    shorter = min(camera.width, camera.height)
    return [n for n in _LADDER if n == 1 or math.ceil(shorter / n) >= _LEAST_PIXELS]


def reduced(camera: Intrinsics, coarseness: int) -> Intrinsics:
    """The camera of an image `coarseness` times smaller in width and height."""
    return camera.scaled(math.ceil(camera.width / coarseness), math.ceil(camera.height / coarseness))


def render_in_time(
    render: Callable[[Intrinsics], RenderedView],
    camera: Intrinsics,
    time_left_s: Callable[[], float],
    cost: RenderCost,
    offer: Callable[[RenderedView, int], None],
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Render a view as finely as the time that is left allows, and `offer` it with its coarseness.

    Before anything was measured, or where the time is short, the coarsest view comes first; a finer one follows while
    its predicted cost fits the rest. There is always one view, even if it comes late.
    """
    sizes = coarsenesses(camera)
    coarseness = _finest(sizes, camera, time_left_s(), cost) or sizes[-1]
    while True:
        small = reduced(camera, coarseness)
        start_s = clock()
        view = render(small)
        cost.add(small.width * small.height, clock() - start_s)
        offer(view, coarseness)
        finer = _finest([n for n in sizes if n < coarseness], camera, time_left_s(), cost)
        if finer is None:
            return
        coarseness = finer


def _finest(sizes: Sequence[int], camera: Intrinsics, left_s: float, cost: RenderCost) -> int | None:
    for coarseness in sizes:
        small = reduced(camera, coarseness)
        if cost.predict(small.width * small.height) <= left_s:
            return coarseness
    return None
