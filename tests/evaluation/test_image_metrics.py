"""PSNR, SSIM and depth errors: values known by hand, torchmetrics, and what does not count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from sem_field_ros.evaluation.image_metrics import DepthErrors, psnr, ssim


def _pair(seed: int, noise: float, size: tuple[int, int] = (40, 56)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(0, 0.05, (*size, 3)), axis=1) % 1.0
    return np.clip(truth + rng.normal(0, noise, truth.shape), 0, 1), truth


def test_psnr_known_by_hand():
    truth = np.zeros((4, 5, 3), np.uint8)
    image = np.full_like(truth, 51)  # 51 / 255 = 0.2: mean square 0.04
    assert psnr(image, truth) == pytest.approx(-10 * np.log10(0.04))
    assert psnr(np.full((2, 2), 0.1), np.zeros((2, 2))) == pytest.approx(20.0)
    assert psnr(truth, truth) == np.inf
    mask = np.zeros((4, 5), bool)
    mask[0, 0] = True
    image[0, 0] = (255, 255, 255)
    assert psnr(image, truth, mask) == pytest.approx(0.0)


def test_unsigned_images_do_not_wrap_around():
    dark, bright = np.zeros((3, 3, 3), np.uint8), np.full((3, 3, 3), 255, np.uint8)
    assert psnr(dark, bright) == psnr(bright, dark) == pytest.approx(0.0)


def test_ssim_known_by_hand():
    flat = np.full((16, 20), 0.5)
    assert ssim(flat, flat) == pytest.approx(1.0)
    # without variance only the brightness counts: (2ab + c1) / (a^2 + b^2 + c1)
    assert ssim(flat, np.full((16, 20), 0.25)) == pytest.approx((0.25 + 1e-4) / (0.25 + 0.0625 + 1e-4))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(0.001, 0.5))
def test_same_as_torchmetrics(seed, noise):
    image, truth = _pair(seed, noise)
    i, t = (torch.from_numpy(x.transpose(2, 0, 1)[None]) for x in (image, truth))
    assert psnr(image, truth) == pytest.approx(float(peak_signal_noise_ratio(i, t, data_range=1.0)), rel=1e-6)
    theirs = float(structural_similarity_index_measure(i, t, data_range=1.0))
    assert ssim(image, truth) == pytest.approx(theirs, abs=1e-6)


def test_eight_bit_images_score_as_floats_do():
    image, truth = ((x * 255).round().astype(np.uint8) for x in _pair(3, 0.1))
    assert psnr(image, truth) == pytest.approx(psnr(image / 255, truth / 255))
    assert ssim(image, truth) == pytest.approx(ssim(image / 255, truth / 255))


def test_images_that_cannot_be_compared():
    with pytest.raises(ValueError, match="cannot be compared"):
        psnr(np.zeros((3, 3)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))


def test_depth_errors_known_by_hand():
    errors = DepthErrors()
    errors.add(np.array([[1.0, 2.5, 0.0]]), np.array([[1.0, 2.0, 3.0]]))  # the last is not covered
    errors.add(np.array([[4.0, 9.0]]), np.array([[2.0, 0.0]]))  # the last has no truth
    scores = errors.scores()
    assert scores.mae == pytest.approx((0 + 0.5 + 2) / 3)
    assert scores.rmse == pytest.approx(np.sqrt((0 + 0.25 + 4) / 3))
    assert scores.abs_rel == pytest.approx((0 + 0.25 + 1) / 3)
    # ratios 1, 1.25 (not below 1.25), 2 (not below 1.25^3 = 1.953)
    assert (scores.delta1, scores.delta2, scores.delta3) == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert scores.coverage == pytest.approx(3 / 4) and scores.pixels == 4


def test_too_near_is_as_wrong_as_too_far():
    errors = DepthErrors()
    errors.add(np.full((2, 2), 1.0), np.full((2, 2), 1.3))
    scores = errors.scores()
    assert scores.delta1 == 0 and scores.delta2 == 1


def test_no_depth_no_scores():
    errors = DepthErrors()
    errors.add(np.zeros((2, 2)), np.ones((2, 2)))
    assert errors.scores() is None
    with pytest.raises(ValueError, match="cannot be compared"):
        errors.add(np.zeros((2, 2)), np.zeros((2, 3)))
