"""Which points are shown, and in which colours."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.viewer.legend import make_legend
from sem_field_ros.viewer.points import DisplaySettings, LabelledPoints, colors, confidence_colors, thin, visible

LEGEND = make_legend({1: "a", 2: "b"}, {1: (250, 0, 0), 2: (0, 250, 0)})


def cloud() -> LabelledPoints:
    points = np.arange(12, dtype=np.float64).reshape(4, 3)
    return LabelledPoints.from_arrays(
        points, np.full((4, 3), 9, np.uint8), np.array([1, 2, 255, 65535], np.uint32), np.array([0.9, 0.2, 0.0, 0.0])
    )


def test_points_that_are_not_finite_are_dropped_and_both_unlabelled_ids_are_one() -> None:
    points = np.zeros((3, 3), np.float32)
    points[1, 2] = np.nan
    made = LabelledPoints.from_arrays(points, np.zeros((3, 3)), np.array([1, 1, 65535]), np.array([0.5, 1, np.nan]))
    assert made.label_ids.tolist() == [1, 255] and made.confidence.tolist() == [0.5, 0.0]
    assert cloud().label_ids.tolist() == [1, 2, 255, 255]


@pytest.mark.parametrize(
    ("display", "shown"),
    [
        (DisplaySettings(), [True, True, True, True]),
        (DisplaySettings(hidden_ids=frozenset({1})), [False, True, True, True]),
        (DisplaySettings(hidden_ids=frozenset({255})), [True, True, False, False]),
        (
            DisplaySettings(min_confidence=0.5),
            [True, False, True, True],
        ),  # unlabelled points have no confidence to miss
        (DisplaySettings(min_confidence=0.9, hidden_ids=frozenset({2, 255})), [True, False, False, False]),
    ],
)
def test_visible(display: DisplaySettings, shown: list[bool]) -> None:
    assert visible(cloud(), display).tolist() == shown


def test_colours() -> None:
    assert colors(cloud(), DisplaySettings(), LEGEND).tolist() == [[250, 0, 0], [0, 250, 0], [64, 64, 64], [64, 64, 64]]
    assert colors(cloud(), DisplaySettings("rgb"), LEGEND).tolist() == 4 * [[9, 9, 9]]
    low, middle, high, above = confidence_colors(np.array([0.0, 0.5, 1.0, 1.5])).tolist()
    assert (low, middle, high, above) == ([68, 1, 84], [33, 145, 140], [253, 231, 37], [253, 231, 37])


def test_thinning_is_even_and_bounded() -> None:
    assert thin(10, 10) == slice(None)
    index = thin(1000, 7)
    assert isinstance(index, np.ndarray) and len(index) == 7
    assert set(np.diff(index)) <= {142, 143} and index[0] == 0
