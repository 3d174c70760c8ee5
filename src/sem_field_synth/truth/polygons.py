"""Hand-drawn labels: polygons of classes on the frames of a recording, read from JSON and drawn as label images.

    {"label_set": "scannet20", "image_size": [640, 480],
     "color_camera": {"fx": .., "fy": .., "cx": .., "cy": .., "T_color_depth": [[..] x4]},     (optional)
     "frames": {"000008": [{"class": "wall", "points": [[0, 0], [639, 0], [639, 237]]}, ...], ...}}

Points are pixels (column, row), whole numbers at pixel centres. Polygons are drawn in their order, later ones over
earlier ones; the class "unlabelled" takes labels away, and a hole is a later polygon of what is seen through it. What
no polygon covers is unlabelled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import check_pose
from sem_field_ros.labels import UNLABELLED_INDEX, LabelSet, load_label_set

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class LabelPolygon:
    """One polygon: the index of its class (-1 takes labels away), its corners [n, 2] int32 pixels (column, row)."""

    index: int
    points: np.ndarray


@dataclass(frozen=True)
class ColorCamera:
    """The colour camera of a recording whose depth images are not registered to it; T_color_depth 4x4, metres."""

    intrinsics: Intrinsics
    T_color_depth: np.ndarray


@dataclass(frozen=True)
class LabelPolygons:
    """The polygons of every labelled frame by its name, in the order they are drawn; images are width x height."""

    labels: LabelSet
    width: int
    height: int
    frames: Mapping[str, tuple[LabelPolygon, ...]]
    color_camera: ColorCamera | None = None

    def draw(self, name: str) -> np.ndarray:
        """Label image of a frame: class indices [height, width] int16, -1 unlabelled."""
        image = np.full((self.height, self.width), UNLABELLED_INDEX, np.int16)
        for polygon in self.frames[name]:
            cv2.fillPoly(image, [polygon.points], polygon.index)
        return image


def read_polygons(path: str | Path) -> LabelPolygons:
    """Read a file of polygons. Raises DataError in one line for a file that is malformed, with the frame at fault.

    Every class must be one of the label set's (or "unlabelled"), every corner a pixel of the image.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error})") from error
    try:
        labels = load_label_set(str(content["label_set"]))
        width, height = (int(side) for side in content["image_size"])
        frames = {str(name): list(polygons) for name, polygons in sorted(content["frames"].items())}
        camera = _color_camera(content["color_camera"], width, height) if "color_camera" in content else None
    except (KeyError, TypeError, ValueError, AttributeError, FrameError) as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} must hold label_set, image_size [width, height] and frames ({what})") from error
    if not frames:
        raise DataError(f"{path} labels no frame")
    drawn = {}
    for name, polygons in frames.items():
        drawn[name] = tuple(_polygon(item, labels, (width, height), f"{path}: frame {name}") for item in polygons)
    return LabelPolygons(labels, width, height, drawn, camera)


def _color_camera(content: Mapping[str, Any], width: int, height: int) -> ColorCamera:
    focal_and_centre = (float(content[key]) for key in ("fx", "fy", "cx", "cy"))
    T_color_depth = check_pose(np.array(content["T_color_depth"], np.float64), "T_color_depth")
    return ColorCamera(Intrinsics(*focal_and_centre, width, height), T_color_depth)


def _polygon(item: Any, labels: LabelSet, size: tuple[int, int], where: str) -> LabelPolygon:
    try:
        name, points = str(item["class"]), np.array(item["points"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f'{where}: a polygon is {{"class": .., "points": [[column, row], ..]}}, not {item}') from error
    if name != UNLABELLED and name not in labels.names:
        raise DataError(f"{where}: label set {labels.name} has no class '{name}'; it has: {', '.join(labels.names)}")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.issubdtype(points.dtype, np.integer):
        raise DataError(f"{where}: a polygon of {name} needs at least 3 corners [column, row] in whole pixels")
    if (points < 0).any() or (points >= size).any():
        outside = points[((points < 0) | (points >= size)).any(axis=1)][0]
        raise DataError(f"{where}: corner {outside.tolist()} of {name} is outside the {size[0]}x{size[1]} image")
    return LabelPolygon(UNLABELLED_INDEX if name == UNLABELLED else labels.index_of(name), points.astype(np.int32))
