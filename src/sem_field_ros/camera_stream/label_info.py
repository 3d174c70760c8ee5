"""vision_msgs/LabelInfo <-> LabelSet as plain data, for messages of rclpy and of rosbags.

LabelInfo carries ids and names. Colours come from the shipped label sets that use the same names, else from a palette.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Mapping
from typing import Any

from sem_field_ros.errors import LabelSetError
from sem_field_ros.labels import UNLABELLED_ID, UNLABELLED_ID_16, LabelClass, LabelSet, load_label_set
from sem_field_ros.resources import resource_path

Color = tuple[int, int, int]


def names_of(labels: LabelSet) -> dict[int, str]:
    """Class names of a label set by id: what LabelInfo carries of it."""
    return {c.id: c.name for c in labels.classes}


def names_from_msg(msg: Any) -> dict[int, str]:
    """Class names of a LabelInfo by id."""
    return {int(c.class_id): str(c.class_name) for c in msg.class_map}


def label_set_from_names(names: Mapping[int, str], set_name: str) -> LabelSet:
    """Return the shipped label set with exactly these ids and names, else one called `set_name` with found colours.

    An entry for unlabelled pixels (255, 65535) is left out. Raises LabelSetError where the rest is not a label set.
    """
    names = {id_: name for id_, name in sorted(names.items()) if id_ not in (UNLABELLED_ID, UNLABELLED_ID_16)}
    for shipped in _shipped_sets():
        if names_of(shipped) == names:
            return shipped
    if not names:
        raise LabelSetError("LabelInfo names no classes: give a label set")
    colors = shipped_colors(names)
    classes = (LabelClass(id_, name, colors.get(id_) or palette_color(id_)) for id_, name in names.items())
    return LabelSet(set_name, tuple(classes))


def shipped_colors(names: Mapping[int, str]) -> dict[int, Color]:
    """Colours by id from the shipped label set that names most of these ids the same; of several, the smallest."""
    best: dict[int, Color] = {}
    best_score = (0, 0)
    for labels in _shipped_sets():
        found = {c.id: c.color for c in labels.classes if names.get(c.id) == c.name}
        if (len(found), -len(labels)) > best_score:
            best, best_score = found, (len(found), -len(labels))
    return best


def palette_color(index: int) -> Color:
    """A colour for a class without one: hues step by the golden ratio, so that neighbours differ."""
    lightness = (0.50, 0.65, 0.38)[index % 3]
    r, g, b = colorsys.hls_to_rgb((0.07 + index * 0.61803398875) % 1.0, lightness, 0.65)
    return round(r * 255), round(g * 255), round(b * 255)


def _shipped_sets() -> Iterator[LabelSet]:
    for path in sorted(resource_path("config/labels").glob("*.yaml")):
        try:
            yield load_label_set(path)
        except LabelSetError:
            continue  # a broken file is reported when its set is loaded by name
