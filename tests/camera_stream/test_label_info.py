"""Names of LabelInfo <-> label sets: shipped sets are found, others get colours."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sem_field_ros.camera_stream.label_info import (
    label_set_from_names,
    names_from_msg,
    names_of,
    palette_color,
    shipped_colors,
)
from sem_field_ros.errors import LabelSetError
from sem_field_ros.labels import load_label_set

SHIPPED = ("nyu40", "replica19", "scannet20", "stanford13", "voc")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_set_is_found_by_its_names_in_any_order(name: str) -> None:
    labels = load_label_set(name)
    backwards = dict(reversed(names_of(labels).items()))
    assert label_set_from_names(backwards | {255: "unlabelled", 65535: "unlabelled"}, "other") == labels


def test_other_names_get_a_set_of_their_own() -> None:
    own = label_set_from_names({8: "human", 3: "robot"}, "bag")
    assert (own.name, names_of(own)) == ("bag", {3: "robot", 8: "human"})
    assert own.classes[0].color == palette_color(3) != own.classes[1].color == palette_color(8)


def test_known_names_keep_the_colours_of_the_shipped_set() -> None:
    names = names_of(load_label_set("scannet20")) | {99: "robot arm"}
    own = label_set_from_names(names, "bag")
    assert [c.color for c in own.classes[:-1]] == [c.color for c in load_label_set("scannet20").classes]
    assert own.classes[-1].color == palette_color(99)
    assert 99 not in shipped_colors(names)


@pytest.mark.parametrize("names", [{}, {255: "UNLABELED"}, {1: "wall", 2: "wall"}])
def test_what_is_not_a_label_set(names: dict[int, str]) -> None:
    with pytest.raises(LabelSetError):
        label_set_from_names(names, "bag")


def test_messages_of_any_library_are_read() -> None:
    entries = [SimpleNamespace(class_id=4, class_name="bed"), SimpleNamespace(class_id=5, class_name="chair")]
    assert names_from_msg(SimpleNamespace(class_map=entries)) == {4: "bed", 5: "chair"}
