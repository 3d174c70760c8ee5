"""The legend: names and colours from whatever is known of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.labels import UNLABELLED_COLOR, UNLABELLED_ID, load_label_set
from sem_field_ros.viewer.legend import colors_by_label, make_legend, palette_color


def test_names_that_fit_a_shipped_set_take_its_colours() -> None:
    labels = load_label_set("voc")
    some = {c.id: c.name for c in labels.classes[5:12]}
    legend = make_legend(some, {})
    assert {c.id: c.color for c in legend.classes[:-1]} == {c.id: c.color for c in labels.classes[5:12]}
    assert legend.classes[-1].id == UNLABELLED_ID and legend.classes[-1].color == UNLABELLED_COLOR


def test_known_colours_come_before_shipped_ones_and_the_palette_fills_the_rest() -> None:
    legend = make_legend({1: "gripper", 2: "cup"}, {2: (1, 2, 3)})
    assert [(c.id, c.name, c.color) for c in legend.classes[:2]] == [
        (1, "gripper", palette_color(1)),
        (2, "cup", (1, 2, 3)),
    ]


def test_ids_without_a_name_get_a_row() -> None:
    legend = make_legend({1: "a"}, {}).with_ids([1, 7, UNLABELLED_ID], {7: (9, 9, 9)})
    assert [(c.id, c.name) for c in legend.classes] == [(1, "a"), (7, "class 7"), (UNLABELLED_ID, "unlabelled")]
    assert legend.colors_of(np.array([7, 99, -3, 70000])).tolist() == [[9, 9, 9]] + 3 * [list(UNLABELLED_COLOR)]


@given(st.lists(st.integers(0, 254), min_size=1, max_size=40, unique=True))
def test_colour_to_id_undoes_id_to_colour_where_colours_differ(ids: list[int]) -> None:
    legend = make_legend({i: f"thing {i}" for i in ids}, {i: (i, 255 - i, 7) for i in ids})
    wanted = np.array([*ids, UNLABELLED_ID])
    assert legend.ids_of(legend.colors_of(wanted)).tolist() == wanted.tolist()
    assert legend.ids_of(np.array([[1, 1, 1]], np.uint8)).tolist() == [UNLABELLED_ID]


def test_one_colour_a_class_is_its_colour_and_camera_colours_are_not() -> None:
    ids = np.repeat([3, 4, 5, UNLABELLED_ID], [30, 30, 3, 30])
    painted = np.repeat(
        np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [64, 64, 64]], np.uint8), [30, 30, 3, 30], 0
    )
    assert colors_by_label(ids, painted) == {3: (10, 20, 30), 4: (40, 50, 60)}  # 5 has too few points to be sure
    painted[0, 0] += 1
    assert colors_by_label(ids, painted) == {}
