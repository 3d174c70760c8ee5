"""Label colours on the mesh are those of the legend, through the renderer's tone curve."""

from __future__ import annotations

import numpy as np

from sem_field_ros.labels import load_label_set
from sem_field_ros.viewer.tone_mapping import mesh_colors, tone_mapped


def seen(colors: np.ndarray) -> np.ndarray:
    linear = tone_mapped(mesh_colors(colors))
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255


def test_the_curve_at_values_known_by_hand() -> None:
    # white: v = 1 / 0.6, (v (v + 0.0246) - 0.0001) / (v (0.9837 v + 0.4330) + 0.2381) = 2.8187 / 3.6922
    assert np.allclose(tone_mapped(np.zeros((1, 3))), 0, atol=1e-3)
    assert np.allclose(tone_mapped(np.ones((1, 3))), 0.7634, atol=0.001)


def test_greys_come_out_as_they_went_in() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    assert np.abs(seen(greys) - greys).max() < 1.5


def test_label_colours_come_out_as_they_went_in() -> None:
    for name in ("scannet20", "voc", "nyu40"):
        colors = load_label_set(name).colors
        error = np.abs(seen(colors) - colors).max(axis=1)
        assert np.median(error) < 1 and np.quantile(error, 0.9) < 10 and error.max() < 60
