"""The viewer's legend: the name and colour of every class id.

LabelInfo carries names without colours. A colour comes from the first of these that has it: the label set given by the
user, points that are coloured by label, the shipped label set whose ids and names fit best, a generated palette.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sem_field_ros.camera_stream.label_info import Color, palette_color, shipped_colors
from sem_field_ros.labels import UNLABELLED_COLOR, UNLABELLED_ID, UNLABELLED_ID_16

UNLABELLED_NAME = "unlabelled"
_MIN_SEEN = 20  # this many points of one colour make it the colour of their class


@dataclass(frozen=True)
class LegendClass:
    """One row of the legend."""

    id: int
    name: str
    color: Color


@dataclass(frozen=True)
class Legend:
    """Classes in the order of the label set, `unlabelled` last."""

    classes: tuple[LegendClass, ...]

    @cached_property
    def _color_table(self) -> np.ndarray:
        table = np.full((UNLABELLED_ID_16 + 1, 3), UNLABELLED_COLOR, dtype=np.uint8)
        for c in self.classes:
            table[c.id] = c.color
        return table

    @cached_property
    def ids(self) -> frozenset[int]:
        """Every id that has a row."""
        return frozenset(c.id for c in self.classes)

    def entry(self, label_id: int) -> LegendClass:
        """The row of an id; `class ID` if it has none."""
        found = next((c for c in self.classes if c.id == label_id), None)
        return found or LegendClass(label_id, f"class {label_id}", palette_color(label_id))

    def colors_of(self, ids: np.ndarray) -> np.ndarray:
        """Ids [N] -> colours [N, 3] uint8; ids without a row are grey."""
        return self._color_table[np.clip(ids, 0, UNLABELLED_ID_16)]

    def ids_of(self, colors: np.ndarray) -> np.ndarray:
        """Colours [N, 3] uint8 -> ids [N] int32 of the class with exactly that colour, else unlabelled."""
        table = np.array([pack_color(np.array(c.color)) for c in self.classes], dtype=np.int64)
        order = np.argsort(table, kind="stable")
        wanted = pack_color(colors)
        at = np.minimum(np.searchsorted(table[order], wanted), len(table) - 1)
        ids = np.array([c.id for c in self.classes], dtype=np.int32)[order]
        return np.where(table[order][at] == wanted, ids[at], UNLABELLED_ID).astype(np.int32)

    def with_ids(self, ids: Iterable[int], colors: Mapping[int, Color]) -> Legend:
        """This legend with a row `class N` for each of `ids` without a name; `colors` as far as they are known."""
        missing = sorted(set(ids) - self.ids)
        if not missing:
            return self
        rows = tuple(LegendClass(i, f"class {i}", colors.get(i) or palette_color(i)) for i in missing)
        return Legend(self.classes[:-1] + rows + self.classes[-1:])


def pack_color(colors: np.ndarray) -> np.ndarray:
    """RGB [..., 3] -> one int64 each, 0xRRGGBB."""
    c = np.asarray(colors).astype(np.int64)
    return (c[..., 0] << 16) | (c[..., 1] << 8) | c[..., 2]


def make_legend(names: Mapping[int, str], colors: Mapping[int, Color]) -> Legend:
    """The legend of names by id; colours that are not given come from shipped label sets or the palette."""
    guessed = shipped_colors(names) if set(names) - set(colors) else {}
    rows = tuple(
        LegendClass(i, name, colors.get(i) or guessed.get(i) or palette_color(i))
        for i, name in names.items()
        if i != UNLABELLED_ID
    )
    return Legend(rows + (LegendClass(UNLABELLED_ID, UNLABELLED_NAME, UNLABELLED_COLOR),))


def colors_by_label(label_ids: np.ndarray, rgb: np.ndarray) -> dict[int, Color]:
    """Colours of the classes if `rgb` [N, 3] shows labels, that is, if all points of a class have the same colour.

    If the points of any class differ in colour, these are camera colours and nothing is returned.
    """
    packed = pack_color(rgb)
    colors: dict[int, Color] = {}
    for label in np.unique(label_ids):
        seen = packed[label_ids == label]
        if label == UNLABELLED_ID or len(seen) < _MIN_SEEN:
            continue
        if (seen != seen[0]).any():
            return {}
        colors[int(label)] = (int(seen[0]) >> 16, int(seen[0]) >> 8 & 255, int(seen[0]) & 255)
    return colors
