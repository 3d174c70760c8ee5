"""Maps side by side: differences counted by hand, and the picture's layout and colours."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from sem_field_ros.evaluation.comparison import ComparedView, compare_view, draw_comparison, most_different
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_ros.surface import RenderedView

LABELS = load_label_set("scannet20")


def view(a: np.ndarray, b: np.ndarray, truth: np.ndarray | None = None) -> ComparedView:
    return ComparedView(np.full((*a.shape, 3), 90, np.uint8), truth, {"bayesian": a, "gnesf": b})


def test_what_only_one_map_labels_is_no_difference() -> None:
    a, b = np.array([[0, 1, -1, 3]]), np.array([[0, 2, 2, -1]])
    assert view(a, b).difference == 0.25


def test_the_most_different_views_are_apart() -> None:
    same = np.zeros((1, 10), int)
    shares = [0, 5, 6, 0, 0, 0, 4, 0]
    views = [view(same, (np.arange(10)[None] < n).astype(int)) for n in shares]
    assert most_different(views, 2) == [2, 6]
    assert most_different(views, 1) == [2]


def test_the_picture_shows_labels_in_their_colours() -> None:
    a = np.zeros((30, 40), int)
    b = a.copy()
    b[:, 20:] = 4
    picture = draw_comparison([view(a, b, truth=a)], LABELS)
    row = picture[18 + 15]  # below the line of names, in the middle of the view
    columns = [row[44 * i + 10] for i in range(5)]
    wall, chair = LABELS.colors[0], LABELS.colors[4]
    assert [c.tolist() for c in columns[:4]] == [[90, 90, 90], wall.tolist(), wall.tolist(), wall.tolist()]
    assert row[44 * 3 + 30].tolist() == chair.tolist()
    assert row[44 * 4 + 30].tolist() == chair.tolist() and row[44 * 4 + 10].tolist() == [246, 246, 246]


def test_a_view_is_rendered_at_the_width_asked_for() -> None:
    camera = Intrinsics(80, 80, 39.5, 29.5, 80, 60)
    ids = np.full((60, 80), LABELS.classes[4].id, np.uint8)
    frame = PosedFrame(0, np.zeros((60, 80, 3), np.uint8), camera, np.eye(4), None, labels=ids)

    def render(small: Intrinsics, pose: np.ndarray) -> RenderedView:
        shape = small.height, small.width
        index, zero = np.full(shape, 2, np.int16), np.zeros(shape, np.float32)
        return RenderedView(zero, np.zeros((*shape, 3), np.uint8), index, confidence=zero)

    scene = SimpleNamespace(render=render)
    compared = compare_view(frame, LABELS, LABELS, {"a": scene, "b": scene}, 40)
    assert compared.color.shape == (30, 40, 3) and compared.maps["a"].shape == (30, 40)
    assert compared.truth is not None and (compared.truth == 4).all() and compared.difference == 0
