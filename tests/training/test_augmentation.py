"""Augmentation: labels stay with their pixels, appearance leaves labels alone; the generator decides everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.training.samples.augmentation import (
    AugmentationConfig,
    augment,
    cut_out,
    random_appearance,
    random_materials,
    random_view,
)

GREYS = np.array([30, 80, 130, 180, 230], np.uint8)
SMALL = AugmentationConfig(width=64, height=48)


def blocks(width: int = 80, height: int = 60, cell: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """An image whose colour tells the label: squares of 5 greys, one for each class."""
    y, x = np.mgrid[0:height, 0:width] // cell
    index = ((x + 2 * y) % 5).astype(np.int8)
    return np.repeat(GREYS[index][..., None], 3, axis=2), index


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_labels_stay_with_their_pixels(seed: int) -> None:
    color, index = random_view(*blocks(), SMALL, np.random.default_rng(seed))
    assert color.shape == (48, 64, 3) and index.shape == (48, 64) and index.dtype == np.int8
    exact = np.abs(color[..., 0].astype(int)[..., None] - GREYS).min(axis=2) == 0
    known = index >= 0
    assert known.any()
    # where a pixel has one of the greys exactly it lies inside a square: its label is that grey's
    right = GREYS[index] == color[..., 0]
    assert (right | ~exact | ~known).mean() > 0.97  # interpolation across a border may meet another grey
    inside = known & exact
    if inside.mean() > 0.2:
        assert right[inside].mean() > 0.93


def test_without_randomness_the_view_is_the_image_itself() -> None:
    config = AugmentationConfig(
        80, 60, scale=(1.0, 1.0), aspect=0.0, rotation_deg=0.0, flip=False, strength=0, cutout=0
    )
    color, index = blocks()
    out = augment(color, index, config, np.random.default_rng(0))
    assert (out[0] == color).all() and (out[1] == index).all()


def test_outside_the_image_nothing_is_labelled() -> None:
    config = AugmentationConfig(64, 64, scale=(0.5, 0.5), aspect=0.0, rotation_deg=0.0)
    color, index = random_view(
        np.full((64, 64, 3), 9, np.uint8), np.zeros((64, 64), np.int8), config, np.random.default_rng(3)
    )
    assert (index == 0).mean() == pytest.approx(0.25, abs=0.05) and set(np.unique(index)) == {-1, 0}
    assert (color == 9).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_appearance_keeps_shape_and_type_and_some_contrast(seed: int) -> None:
    color, _ = blocks()
    out = random_appearance(color, 1.0, np.random.default_rng(seed))
    assert out.shape == color.shape and out.dtype == np.uint8
    assert out.std() > 2


def test_materials_change_whole_classes_and_keep_their_shading() -> None:
    """Inside each region the picture is multiplied by one colour: ratios between pixels stay."""
    color = np.zeros((40, 60, 3), np.uint8)
    color[:] = np.linspace(60, 90, 40).astype(np.uint8)[:, None, None]
    index = np.zeros((40, 60), np.int8)
    index[:, 30:] = 1
    index[:, 55:] = -1
    changed = 0
    for seed in range(20):
        out = random_materials(color, index, 1.0, np.random.default_rng(seed)).astype(float)
        assert (out[:, 57:] == color[:, 57:]).all()  # what has no label stays
        for region in (slice(1, 28), slice(32, 53)):
            ratio = out[:, region] / color[:, region]
            if out[:, region].max() < 255:
                assert ratio.std(axis=(0, 1)).max() < 0.02
            changed += int(np.abs(ratio - 1).max() > 0.05)
    assert 5 < changed < 25


def test_cut_out_unlabels_what_it_hides() -> None:
    color, index = blocks()
    hidden, unlabelled = cut_out(color, index, np.random.default_rng(0))
    changed = (hidden != color).any(axis=2)
    assert changed.any() and (unlabelled[changed] == -1).all()
    assert (unlabelled[unlabelled >= 0] == index[unlabelled >= 0]).all() and (index >= 0).all()


def test_the_same_generator_gives_the_same_sample_and_leaves_the_source() -> None:
    color, index = blocks()
    before = color.copy(), index.copy()
    a, b, c = (augment(color, index, SMALL, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert (a[0] == b[0]).all() and (a[1] == b[1]).all() and (a[0] != c[0]).any()
    assert (color == before[0]).all() and (index == before[1]).all()


def test_flips_happen_half_the_time() -> None:
    """Left dark, right bright: after a flip the other way round."""
    color = np.zeros((40, 40, 3), np.uint8)
    color[:, 20:] = 200
    config = AugmentationConfig(40, 40, scale=(1.0, 1.0), aspect=0.0, rotation_deg=0.0)
    flipped = 0
    for seed in range(200):
        out, _ = random_view(color, np.zeros((40, 40), np.int8), config, np.random.default_rng(seed))
        flipped += int(out[:, :10].mean() > 100)
    assert 70 < flipped < 130
