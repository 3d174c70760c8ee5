"""Label sets: class ids, names, colours and groupings into other sets. Knows no geometry.

Inside the code a class is an *index* 0..C-1 (the channel of a probability tensor), -1 = unlabelled; on disk and on
topics it is an *id* of its label set. Only this file turns one into the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sem_field_ros.errors import LabelSetError
from sem_field_ros.resources import resource_path

UNLABELLED_ID = 255  # in every 8-bit label image and in clouds; mono16 images use UNLABELLED_ID_16
UNLABELLED_ID_16 = 65535
UNLABELLED_INDEX = -1
UNLABELLED_COLOR = (64, 64, 64)
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class LabelClass:
    """One class: its id on disk and on topics, its human name, its RGB colour (0-255)."""

    id: int
    name: str
    color: tuple[int, int, int]


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of classes. `groupings[target][own name] = target name` maps into other sets."""

    name: str
    classes: tuple[LabelClass, ...]
    groupings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [c.id for c in self.classes]
        names = [c.name for c in self.classes]
        if not ids:
            raise LabelSetError(f"label set {self.name}: no classes")
        if len(set(ids)) != len(ids) or len(set(names)) != len(names):
            raise LabelSetError(f"label set {self.name}: class ids and names must be unique")
        if min(ids) < 0 or max(ids) >= UNLABELLED_ID_16 or UNLABELLED_ID in ids:
            raise LabelSetError(f"label set {self.name}: ids must lie in 0..65534 and not be {UNLABELLED_ID}")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in index order."""
        return tuple(c.name for c in self.classes)

    def has_classes_of(self, other: LabelSet) -> bool:
        """Whether index i is the same class in both, by its name. The names of the sets do not matter."""
        return self.names == other.names

    @cached_property
    def ids(self) -> np.ndarray:
        """Class ids in index order, [C] uint16."""
        return np.array([c.id for c in self.classes], dtype=np.uint16)

    @cached_property
    def colors(self) -> np.ndarray:
        """RGB colours in index order, [C, 3] uint8."""
        return np.array([c.color for c in self.classes], dtype=np.uint8)

    @cached_property
    def _index_of_id(self) -> np.ndarray:
        table = np.full(UNLABELLED_ID_16 + 1, UNLABELLED_INDEX, dtype=np.int16)
        table[self.ids] = np.arange(len(self), dtype=np.int16)
        return table

    def index_of(self, name: str) -> int:
        """Return the index of a class by name; raises LabelSetError with the known names."""
        if name not in self.names:
            raise LabelSetError(f"label set {self.name} has no class '{name}'; it has: {', '.join(self.names)}")
        return self.names.index(name)

    def to_index(self, ids: np.ndarray) -> np.ndarray:
        """Ids of any integer type and shape -> class indices, int16, same shape; unknown ids become -1."""
        ids = np.asarray(ids)
        if ids.dtype not in (np.uint8, np.uint16):
            ids = np.where((ids < 0) | (ids > UNLABELLED_ID_16), UNLABELLED_ID_16, ids).astype(np.uint16)
        return self._index_of_id[ids]

    def to_id(self, index: np.ndarray) -> np.ndarray:
        """Class indices (-1 = unlabelled) -> ids, same shape: uint8 where all fit in 8 bits, else uint16."""
        small = int(self.ids.max()) < UNLABELLED_ID
        table = np.append(self.ids, UNLABELLED_ID if small else UNLABELLED_ID_16)
        return table.astype(np.uint8 if small else np.uint16)[np.asarray(index)]

    def to_color(self, index: np.ndarray) -> np.ndarray:
        """Class indices (-1 = unlabelled) [...] -> RGB [..., 3] uint8."""
        table = np.concatenate([self.colors, np.array([UNLABELLED_COLOR], dtype=np.uint8)])
        return table[np.asarray(index)]

    def regroup(self, target: LabelSet) -> np.ndarray:
        """Table [C] int16 from own indices to `target`'s: by grouping, else by equal name, else -1 (unlabelled)."""
        if self.has_classes_of(target):
            return np.arange(len(self), dtype=np.int16)
        names = self.groupings.get(target.name, {})
        known = {name: i for i, name in enumerate(target.names)}
        own = [known.get(name, UNLABELLED_INDEX) for name in self.names]
        return np.array(
            [known.get(names.get(name, name), i) for name, i in zip(self.names, own, strict=True)], np.int16
        )

    def without_counterpart(self, target: LabelSet) -> tuple[str, ...]:
        """Names of the classes that `regroup` leaves unlabelled."""
        return tuple(name for name, index in zip(self.names, self.regroup(target).tolist(), strict=True) if index < 0)


def load_label_set(name_or_path: str | Path) -> LabelSet:
    """Read a label set: the name of a shipped one (`scannet20`, `nyu40`, `voc`, `replica19`) or a YAML file's path."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = resource_path("config/labels") / f"{name_or_path}.yaml"
    if not path.is_file():
        shipped = sorted(p.stem for p in resource_path("config/labels").glob("*.yaml"))
        raise LabelSetError(f"label set '{name_or_path}' not found: give a YAML file or one of {', '.join(shipped)}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        line = " ".join(str(error).split())
        raise LabelSetError(f"label set {path}: cannot be read as YAML ({line}); see config/labels/voc.yaml") from error
    if isinstance(content, Mapping):
        content = {"name": path.stem, **content}
    labels = label_set_from_dict(content, str(path))
    if len(labels) < 2:
        raise LabelSetError(f"label set {path}: it has one class; labels need at least two, e.g. a class 'other'")
    return labels


def label_set_from_dict(content: Any, where: str = "") -> LabelSet:
    """Build a label set from `{name, classes: [{id, name, color}], groupings?}` (the YAML, or a map file's header).

    A colour is three numbers 0..255, or fractions 0..1 of which one is not whole, or "#rrggbb"; a fourth, the opacity,
    is not used. Raises LabelSetError that names the class and the value.
    """
    where = f"label set {where or (content.get('name', '?') if isinstance(content, Mapping) else '?')}"
    advice = "see config/labels/voc.yaml"
    if not isinstance(content, Mapping) or not isinstance(content.get("classes"), list):
        raise LabelSetError(f"{where}: expected `name` and a list `classes`; {advice}")
    classes = []
    for number, entry in enumerate(content["classes"]):
        if not isinstance(entry, Mapping) or not {"id", "name", "color"} <= entry.keys():
            raise LabelSetError(f"{where}: class {number} needs id, name and color; {advice}")
        id_, name = entry["id"], entry["name"]
        if isinstance(id_, bool) or not isinstance(id_, int):
            raise LabelSetError(f"{where}: class {number} has the id {id_!r}: ids are whole numbers")
        if not isinstance(name, str) or not name.strip():
            raise LabelSetError(f"{where}: class {id_} has the name {name!r}: names are text, put it in quotes")
        classes.append(LabelClass(id_, name, _color(entry["color"], f"{where}: class {id_} ({name})")))
    groupings = content.get("groupings") or {}
    if not isinstance(groupings, Mapping) or not all(isinstance(names, Mapping) for names in groupings.values()):
        raise LabelSetError(f"{where}: groupings must be names by name by label set; {advice}")
    return LabelSet(str(content.get("name", "?")), tuple(classes), dict(groupings))


def _color(value: Any, where: str) -> tuple[int, int, int]:
    if isinstance(value, str) and _HEX.fullmatch(value):
        return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)
    numbers = value[:3] if isinstance(value, (list, tuple)) and len(value) in (3, 4) else []
    whole = all(isinstance(v, int) and not isinstance(v, bool) for v in numbers)
    if len(numbers) == 3 and whole and all(0 <= v <= 255 for v in numbers):
        return int(numbers[0]), int(numbers[1]), int(numbers[2])
    if len(numbers) == 3 and all(type(v) in (int, float) and 0 <= v <= 1 for v in numbers) and not whole:
        return round(numbers[0] * 255), round(numbers[1] * 255), round(numbers[2] * 255)
    raise LabelSetError(f"{where} has the color {value!r}: give three numbers 0 to 255")


def label_set_to_dict(labels: LabelSet) -> dict[str, Any]:
    """Return what label_set_from_dict reads."""
    return {
        "name": labels.name,
        "classes": [{"id": c.id, "name": c.name, "color": list(c.color)} for c in labels.classes],
        "groupings": {target: dict(names) for target, names in labels.groupings.items()},
    }
