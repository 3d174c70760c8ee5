"""A picture of held-out views: the image, the true labels, and the rendering and labels of every method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from sem_field_ros.evaluation.comparison import legend_of, name_bar, tile_row
from sem_field_ros.evaluation.novel_views import HeldOutView
from sem_field_ros.labels import LabelSet

_MAX_VIEWS = 6


def draw_novel_views(views: Sequence[HeldOutView], labels: LabelSet, width: int = 200, columns: int = 6) -> np.ndarray:
    """At most six views, a block of named tiles each, `width` pixels a tile. Returns [H, W, 3] uint8 RGB.

    Rendered colours that a method labels are shown before its labels.
    """
    rows, shown = [], []
    for view in views[:_MAX_VIEWS]:
        shown += [i for i in (view.truth, *(r.labels for r in view.renderings.values())) if i is not None]
        tiles = list(_tiles(view, labels, width))
        blank = "", np.full_like(tiles[0][1], 255)
        tiles += [blank] * (-len(tiles) % columns)
        for start in range(0, len(tiles), columns):
            names, pictures = zip(*tiles[start : start + columns], strict=True)
            rows += [name_bar(names, width), tile_row(pictures)]
    return np.concatenate([*rows, legend_of(shown, labels, rows[0].shape[1])])


def _tiles(view: HeldOutView, labels: LabelSet, width: int) -> Iterator[tuple[str, np.ndarray]]:
    size = width, max(1, round(width * view.color.shape[0] / view.color.shape[1]))

    def color(image: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))

    def classes(index: np.ndarray) -> np.ndarray:
        return labels.to_color(cv2.resize(index.astype(np.int16), size, interpolation=cv2.INTER_NEAREST))

    yield "held-out image", color(view.color)
    if view.truth is not None:
        yield "truth", classes(view.truth)
    drawn: set[int] = set()
    for name, rendering in view.renderings.items():
        if rendering.rgb is not None and id(rendering.rgb) not in drawn:
            drawn.add(id(rendering.rgb))
            yield (name if rendering.labels is None else "rendered for the next"), color(rendering.rgb)
        if rendering.labels is not None:
            yield name, classes(rendering.labels)
