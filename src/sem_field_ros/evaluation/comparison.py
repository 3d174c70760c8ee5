"""A picture of maps side by side: the same views by two or more fusions, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sem_field_ros.evaluation.map_evaluation import true_index
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.scene import Renderable
from sem_field_ros.surface import known

_BAR = 18  # pixels of a line of text
_GAP = 4
_SAME = (246, 246, 246)


@dataclass(frozen=True)
class ComparedView:
    """One camera: its image, the true labels if there are any, and the class indices [h, w] of every map."""

    color: np.ndarray
    truth: np.ndarray | None
    maps: Mapping[str, np.ndarray]

    @property
    def difference(self) -> float:
        """Share of pixels to which the first two maps give different labels."""
        a, b = list(self.maps.values())[:2]
        return float(((a != b) & (a >= 0) & (b >= 0)).mean())


def compare_view(
    frame: PosedFrame, source: LabelSet | None, labels: LabelSet, scenes: Mapping[str, Renderable], width: int
) -> ComparedView:
    """Render every map into a frame's camera, `width` pixels wide."""
    height = max(1, round(width * frame.camera.height / frame.camera.width))
    camera = frame.camera.scaled(width, height)
    truth = None
    if frame.labels is not None and source is not None:
        index = true_index(frame.labels, source, labels)
        truth = cv2.resize(index, (width, height), interpolation=cv2.INTER_NEAREST)
    maps = {name: known(scene.render(camera, frame.T_world_camera).labels) for name, scene in scenes.items()}
    color = cv2.resize(frame.color, (width, height), interpolation=cv2.INTER_AREA)
    return ComparedView(color, truth, maps)


def most_different(views: Sequence[ComparedView], count: int) -> list[int]:
    """Indices of `count` views in which the first two maps differ most, no two near each other, in order."""
    apart = max(1, len(views) // (2 * count))
    chosen: list[int] = []
    for i in sorted(range(len(views)), key=lambda i: -views[i].difference):
        if len(chosen) < count and all(abs(i - j) >= apart for j in chosen):
            chosen.append(i)
    return sorted(chosen)


def draw_comparison(views: Sequence[ComparedView], labels: LabelSet) -> np.ndarray:
    """A row per view: image | truth | maps | where the first two differ. Returns [H, W, 3] uint8 RGB."""
    names = ["image", *(["truth"] if any(v.truth is not None for v in views) else []), *views[0].maps, "they differ"]
    rows = [name_bar(names, views[0].color.shape[1])]
    rows += [_row(view, labels, "truth" in names) for view in views]
    shown = [index for view in views for index in view.maps.values()]
    return np.concatenate([*rows, legend_of(shown, labels, rows[0].shape[1])])


def _row(view: ComparedView, labels: LabelSet, with_truth: bool) -> np.ndarray:
    parts = [view.color]
    if with_truth:
        truth = np.full(view.color.shape[:2], -1) if view.truth is None else view.truth
        parts.append(labels.to_color(truth))
    parts += [labels.to_color(index) for index in view.maps.values()]
    a, b = list(view.maps.values())[:2]
    differs = ((a != b) & (a >= 0) & (b >= 0))[..., None]
    parts.append(np.where(differs, labels.to_color(b), np.array(_SAME, np.uint8)))
    return tile_row(parts)


def tile_row(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures [h, w, 3] of one size beside each other, with a gap between and below them."""
    gap = np.full((len(tiles[0]), _GAP, 3), 255, np.uint8)
    row = np.concatenate([piece for tile in tiles for piece in (tile, gap)][:-1], axis=1)
    return np.concatenate([row, np.full((_GAP, row.shape[1], 3), 255, np.uint8)])


def name_bar(texts: Sequence[str], width: int) -> np.ndarray:
    """A line of texts to stand above a tile_row of pictures `width` wide."""
    bar = np.full((_BAR, len(texts) * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for i, text in enumerate(texts):
        _write(bar, text, i * (width + _GAP) + 2, _BAR - 5)
    return bar


def legend_of(shown: Sequence[np.ndarray], labels: LabelSet, width: int) -> np.ndarray:
    """Colours and names of the class indices that are in any of the pictures [h, w], `width` wide."""
    found = sorted({int(c) for index in shown for c in np.unique(index) if c >= 0})
    return _legend([(labels.names[c], tuple(int(v) for v in labels.colors[c])) for c in found], width)


def _legend(entries: Sequence[tuple[str, tuple[int, ...]]], width: int) -> np.ndarray:
    x, y, places = 2, 0, []
    for name, color in entries:
        size = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)[0][0] + 24
        if x + size > width:
            x, y = 2, y + _BAR
        places.append((name, color, x, y))
        x += size
    canvas = np.full((y + _BAR, width, 3), 255, np.uint8)
    for name, color, left, top in places:
        canvas[top + 4 : top + 14, left : left + 10] = color
        _write(canvas, name, left + 13, top + _BAR - 5)
    return canvas


def _write(canvas: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 44, 52), 1, cv2.LINE_AA)
