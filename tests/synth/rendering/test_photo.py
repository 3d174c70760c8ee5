"""The camera model: exposure and balance known by hand; every picture the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_synth.rendering.photo import draw_camera, perfect_camera


def scene(scale: float = 1.0, tint: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    rng = np.random.default_rng(0)
    grey = np.exp(rng.normal(0, 0.6, (48, 64, 1)))
    return (scale * grey * np.array(tint)).astype(np.float32)


def shoot(picture: np.ndarray, stops: float = 0.0) -> np.ndarray:
    return perfect_camera([picture], stops).take(picture, np.random.default_rng(0))


def test_a_grey_card_comes_out_middle_grey() -> None:
    card = np.full((20, 20, 3), 3.7, np.float32)
    srgb = 1.055 * 0.22 ** (1 / 2.4) - 0.055
    assert (shoot(card) == round(255 * srgb)).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 500.0])
def test_exposure_does_not_depend_on_the_unit_of_light(scale: float) -> None:
    difference = np.abs(shoot(scene(scale)).astype(int) - shoot(scene()))
    assert difference.max() <= 1


def test_stops_double_the_light() -> None:
    dark, bright = shoot(scene()), shoot(scene(), stops=1.0)
    middle = (dark > 90) & (dark < 110)
    assert bright[middle].mean() == pytest.approx(255 * (1.055 * (2 * 0.127) ** (1 / 2.4) - 0.055), abs=6)


def test_most_of_the_light_s_colour_is_balanced_away() -> None:
    warm = scene(tint=(1.0, 0.7, 0.4))
    before, after = warm.mean((0, 1)), shoot(warm).reshape(-1, 3).mean(0)
    assert 1.0 < after[0] / after[2] < 0.7 * before[0] / before[2]


def test_highlights_keep_their_order_and_nothing_overflows() -> None:
    ramp = np.tile(np.geomspace(1e-3, 1e3, 200, dtype=np.float32)[None, :, None], (40, 1, 3))
    row = shoot(ramp)[20, :, 0].astype(int)
    assert (np.diff(row) >= 0).all() and row[0] <= 2 and row[-1] == 255


def test_a_drawn_camera_repeats_itself_and_differs_from_others() -> None:
    def picture(seed: int, frame: int) -> np.ndarray:
        camera = draw_camera([scene()], np.random.default_rng(seed))
        return camera.take(scene(), np.random.default_rng([seed, frame]))

    assert (picture(1, 0) == picture(1, 0)).all()
    assert (picture(1, 0) != picture(1, 1)).any(), "noise differs from frame to frame"
    assert abs(picture(1, 0).astype(int).mean() - picture(2, 0).mean()) > 0.5
