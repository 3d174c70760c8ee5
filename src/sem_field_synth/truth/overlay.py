"""Pictures of hand-drawn labels on their images, to find mistakes by eye: class colours, borders, class names."""

from __future__ import annotations

import cv2
import numpy as np

from sem_field_synth.truth.polygons import UNLABELLED, LabelPolygons

_ZOOM = 2
_OPACITY = 0.4
_BORDER = (255, 255, 255)
_MIN_ROOM = 5.0  # pixels around a name; smaller areas stay without


def draw_overlay(color: np.ndarray, truth: LabelPolygons, name: str) -> np.ndarray:
    """Draw the labels of frame `name` over its image [H, W, 3] uint8 RGB; returns [2 H, 2 W, 3] uint8 RGB."""
    index = truth.draw(name)
    size = (truth.width * _ZOOM, truth.height * _ZOOM)
    large = cv2.resize(color, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    shown = cv2.resize(index, size, interpolation=cv2.INTER_NEAREST)
    tint = truth.labels.to_color(shown).astype(np.float32)
    image = np.rint(large * (1 - _OPACITY) + tint * _OPACITY).astype(np.uint8)
    image[_borders(shown)] = _BORDER
    for place, text in _names(truth, name, index):
        for thickness, ink in ((3, (0, 0, 0)), (1, (255, 255, 255))):
            cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, ink, thickness, cv2.LINE_AA)
    return image


def _borders(index: np.ndarray) -> np.ndarray:
    """Pixels [H, W] bool whose right or lower neighbour has another label."""
    border = np.zeros(index.shape, bool)
    border[:, :-1] |= index[:, :-1] != index[:, 1:]
    border[:-1] |= index[:-1] != index[1:]
    return border


def _names(truth: LabelPolygons, name: str, index: np.ndarray) -> list[tuple[tuple[int, int], str]]:
    """Where to write the class of each polygon: the middle of the widest part of it that is seen."""
    places = []
    polygons = truth.frames[name]
    for number, polygon in enumerate(polygons):
        seen = np.zeros(index.shape, np.uint8)
        cv2.fillPoly(seen, [polygon.points], 1)
        for later in polygons[number + 1 :]:
            cv2.fillPoly(seen, [later.points], 0)
        room = cv2.distanceTransform(cv2.copyMakeBorder(seen, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
        row, column = np.unravel_index(int(room.argmax()), room.shape)
        if room[row, column] > _MIN_ROOM:
            text = UNLABELLED if polygon.index < 0 else truth.labels.names[polygon.index]
            left = int(np.clip((column - 1) * _ZOOM - 4 * len(text), 2, truth.width * _ZOOM - 9 * len(text)))
            places.append(((left, int((row - 1) * _ZOOM)), text))
    return places
