"""Views in time: with a field whose cost per pixel is known, on a clock that is moved by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.fields.common.deadline import RenderCost, coarsenesses, reduced, render_in_time
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.surface import RenderedView

CAMERA = Intrinsics(260, 260, 159.5, 119.5, 320, 240)


class SlowField:
    """Takes `fixed + n * per_pixel` seconds of its own clock for n pixels."""

    def __init__(self, fixed: float, per_pixel: float) -> None:
        self.fixed, self.per_pixel = fixed, per_pixel
        self.now = 0.0
        self.sizes: list[tuple[int, int]] = []

    def render(self, camera: Intrinsics) -> RenderedView:
        self.sizes.append((camera.width, camera.height))
        self.now += self.fixed + camera.width * camera.height * self.per_pixel
        return RenderedView(np.ones((camera.height, camera.width), np.float32))

    def answer(self, deadline_s: float, cost: RenderCost) -> tuple[int, float]:
        """(coarseness of the last view, seconds it took)."""
        offered: list[int] = []
        start = self.now
        render_in_time(
            self.render,
            CAMERA,
            lambda: start + deadline_s - self.now,
            cost,
            lambda view, coarseness: offered.append(coarseness),
            lambda: self.now,
        )
        assert offered == sorted(offered, reverse=True), "every view is finer than the one before"
        return offered[-1], self.now - start


def test_ample_time_gives_every_pixel_and_no_coarser_view_once_the_cost_is_known() -> None:
    field, cost = SlowField(0.01, 10e-6), RenderCost()  # 0.78 s for all pixels
    assert field.answer(60.0, cost)[0] == 1
    assert field.sizes[0] == (20, 15) and field.sizes[-1] == (320, 240), "the first view of all is a coarse one"
    field.sizes.clear()
    assert field.answer(60.0, cost)[0] == 1
    assert field.sizes == [(320, 240)]


def test_short_time_gives_a_coarser_view_in_time() -> None:
    field, cost = SlowField(0.02, 20e-6), RenderCost()  # 1.56 s for all pixels, 0.4 s for a quarter of them
    field.answer(60.0, cost)
    for deadline_s in (1.0, 0.5, 0.2, 0.1):
        coarseness, took_s = field.answer(deadline_s, cost)
        assert coarseness > 1 and took_s <= deadline_s
    assert field.answer(0.55, cost)[0] <= 2, "as fine as it can be: a quarter of the pixels fit"
    assert field.answer(3.0, cost)[0] == 1


def test_without_any_time_there_is_still_one_view_the_coarsest() -> None:
    field, cost = SlowField(0.02, 20e-6), RenderCost()
    assert field.answer(0.0, cost)[0] == coarsenesses(CAMERA)[-1] == 16
    assert len(field.sizes) == 1


def test_the_first_answer_of_all_is_in_time_too() -> None:
    field = SlowField(0.01, 20e-6)
    coarseness, took_s = field.answer(0.5, RenderCost())
    assert took_s <= 0.5 and coarseness <= 4


def test_a_field_that_becomes_slower_is_late_once_and_then_coarser() -> None:
    field, cost = SlowField(0.01, 5e-6), RenderCost()
    for _ in range(10):
        assert field.answer(0.6, cost)[0] == 1
    field.per_pixel *= 3
    late = sum(field.answer(0.6, cost)[1] > 0.6 for _ in range(8))
    assert late <= 2
    coarseness, took_s = field.answer(0.6, cost)
    assert coarseness > 1 and took_s <= 0.6
    field.per_pixel /= 3
    assert [field.answer(0.6, cost)[0] for _ in range(40)][-1] == 1, "and finer again"


def test_a_cost_that_grows_faster_than_the_pixels_is_noticed_on_the_way() -> None:
    """Small views cost next to nothing: all pixels at once would come 4 s late."""
    field, cost = SlowField(0.0, 0.0), RenderCost()

    def render(camera: Intrinsics) -> RenderedView:
        pixels = camera.width * camera.height
        field.now += 0.002 + max(0, pixels - 3000) * 6e-5
        field.sizes.append((camera.width, camera.height))
        return RenderedView(np.ones((camera.height, camera.width), np.float32))

    field.render = render  # type: ignore[method-assign]
    for _ in range(3):
        coarseness, took_s = field.answer(1.0, cost)
        assert took_s < 1.3 and coarseness > 1
    pixels = [width * height for width, height in field.sizes]
    assert max(after / max(pixels[: i + 1]) for i, after in enumerate(pixels[1:])) <= 16.5


@given(st.floats(0, 0.2), st.floats(1e-7, 1e-4), st.integers(1, 600_000))
def test_the_cost_of_any_size_is_found(fixed: float, per_pixel: float, pixels: int) -> None:
    cost = RenderCost()
    assert cost.predict(pixels) == math.inf and math.isnan(cost.pixels_per_s)
    for n in (200, 3000, 40_000):
        cost.add(n, fixed + n * per_pixel)
    expected = fixed + max(pixels, 200) * per_pixel
    assert expected * 0.99 <= cost.predict(pixels) <= expected * 1.35 + 1e-3


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_sizes_are_never_empty_and_keep_the_whole_view(width: int, height: int) -> None:
    camera = Intrinsics(100, 100, width / 2 - 0.5, height / 2 - 0.5, width, height)
    sizes = coarsenesses(camera)
    assert sizes[0] == 1 and sizes == sorted(sizes)
    for n in sizes:
        small = reduced(camera, n)
        assert small.width >= 1 and small.height >= 1
        assert (small.cx + 0.5) / small.width == pytest.approx(0.5)
        assert small.fx / small.width == pytest.approx(100 / width)
