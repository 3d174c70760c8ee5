"""The viewer's legend: which class id has which name and colour, whatever of that the robot tells.

LabelInfo carries names without colours. Colours come, first match wins, from a label set given by hand, from points
or mesh that are coloured by label, from the shipped label set whose ids and names fit best, from a generated palette.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sem_field_ros.camera_stream.label_info import Color, names_of, palette_color, shipped_colors
from sem_field_ros.labels import UNLABELLED_COLOR, UNLABELLED_ID, UNLABELLED_ID_16, LabelSet

UNLABELLED_NAME = "unlabelled"
_MIN_SEEN = 20  # this many points of one colour before that counts as the colour of their class


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
        """This legend, with a row `class N` for each of `ids` that nobody has named; `colors` as far as known."""
        missing = sorted(set(ids) - self.ids)
        if not missing:
            return self
        rows = tuple(LegendClass(i, f"class {i}", colors.get(i) or palette_color(i)) for i in missing)
        return Legend(self.classes[:-1] + rows + self.classes[-1:])


def pack_color(colors: np.ndarray) -> np.ndarray:
    """RGB [..., 3] -> one int64 each, 0xRRGGBB."""
    c = np.asarray(colors).astype(np.int64)
    return (c[..., 0] << 16) | (c[..., 1] << 8) | c[..., 2]


def legend_of_label_set(labels: LabelSet) -> Legend:
    """The legend of a label set that is at hand."""
    return make_legend(names_of(labels), {c.id: c.color for c in labels.classes})


def make_legend(names: Mapping[int, str], colors: Mapping[int, Color]) -> Legend:
    """Names by id and the colours that are known; the others come from shipped label sets or the palette."""
    guessed = shipped_colors(names) if set(names) - set(colors) else {}
    rows = tuple(
        LegendClass(i, name, colors.get(i) or guessed.get(i) or palette_color(i))
        for i, name in names.items()
        if i != UNLABELLED_ID
    )
    return Legend(rows + (LegendClass(UNLABELLED_ID, UNLABELLED_NAME, UNLABELLED_COLOR),))


def colors_by_label(label_ids: np.ndarray, rgb: np.ndarray) -> dict[int, Color]:
    """Colours of classes, if `rgb` [N, 3] shows labels at all: every point of a class has one and the same colour.

    A single class of many colours means that these are camera colours; then nothing is returned.
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
