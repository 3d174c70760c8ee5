"""Label sets of bags: vision_msgs/LabelInfo says ids and names, the shipped sets add the colours."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

from sem_field_ros.errors import LabelSetError
from sem_field_ros.labels import UNLABELLED_ID, UNLABELLED_ID_16, LabelClass, LabelSet, load_label_set
from sem_field_ros.resources import resource_path

_GOLDEN_RATIO = 0.618034  # steps round the colour circle that stay far apart


def label_set_from_info(names: Mapping[int, str]) -> LabelSet:
    """Ids and names -> the shipped label set that has just these, else a set named `bag` with made-up colours.

    Raises LabelSetError where the ids or names are no label set.
    """
    names = {id_: name for id_, name in names.items() if id_ not in (UNLABELLED_ID, UNLABELLED_ID_16)}
    for path in sorted(resource_path("config/labels").glob("*.yaml")):
        shipped = load_label_set(path)
        if {c.id: c.name for c in shipped.classes} == names:
            return shipped
    if not names:
        raise LabelSetError("the bag's LabelInfo names no classes; give a label set")
    classes = []
    for i, (id_, name) in enumerate(sorted(names.items())):
        r, g, b = colorsys.hsv_to_rgb((i * _GOLDEN_RATIO) % 1.0, 0.65, 0.95)
        classes.append(LabelClass(id_, name, (round(r * 255), round(g * 255), round(b * 255))))
    return LabelSet("bag", tuple(classes))
