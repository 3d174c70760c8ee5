"""PartObjects: the part-labelled objects that `sem-field generate objects` drew, one class and split at a time.

Poses, depth and points are in an object's own units: it lies in a sphere of radius 0.5 about the origin, z up, its
front towards -y; `metres_per_unit` of its meta data gives the real size.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import LabelSet, load_label_set


@dataclass(frozen=True)
class ObjectViews:
    """Views of one object.

    color   [N, H, W, 3] uint8 RGB on white        depth  [N, H, W] float32 along z, object units, 0 = background
    parts   [N, H, W] int16 class indices, -1 unlabelled; the label set has a class `background`
    mask    [N, H, W] bool, the object              T_world_camera  [N, 4, 4] float64, optical camera frames
    """

    color: np.ndarray
    depth: np.ndarray
    parts: np.ndarray
    mask: np.ndarray
    T_world_camera: np.ndarray
    camera: Intrinsics

    def __len__(self) -> int:
        return len(self.color)


@dataclass(frozen=True)
class PartPoints:
    """Surface points of one object: positions [P, 3] and unit normals [P, 3] float32, parts [P] int16 class indices."""

    positions: np.ndarray
    normals: np.ndarray
    parts: np.ndarray


class PartObjects:
    """Objects of a class and split (training, validation or test) by number, in the order of their list.

    Raises DataError if the folder has no such list.
    """

    def __init__(self, folder: str | Path, kind: str, split: str) -> None:
        self.folder = Path(folder)
        self.kind = kind
        path = self.folder / f"{kind}_{split}.txt"
        if not path.is_file():
            raise DataError(f"{path} is missing: draw the objects with sem-field generate objects --out {folder}")
        self.names: tuple[str, ...] = tuple(path.read_text(encoding="utf-8").split())
        if not self.names:
            raise DataError(f"{path} names no object: draw some with sem-field generate objects --out {folder}")
        self.labels: LabelSet = load_label_set(str(self.meta(0)["label_set"]))

    def __len__(self) -> int:
        return len(self.names)

    def path(self, number: int) -> Path:
        """The folder of an object."""
        return self.folder / self.kind / self.names[number]

    def meta(self, number: int) -> dict[str, Any]:
        """Meta data of an object: source, parts, size_m, metres_per_unit, license. Raises DataError."""
        path = self.path(number) / "meta.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path} cannot be read ({error}); draw the object again") from error

    def views(self, number: int, which: Sequence[int] | None = None) -> ObjectViews:
        """All views of an object, or those numbered `which`. Raises DataError or FrameError in one line."""
        sequence = FolderSequence(self.path(number))
        count = len(sequence)
        chosen = range(count) if which is None else which
        outside = [i for i in chosen if not 0 <= i < count]
        if outside:
            raise DataError(f"{self.path(number)} has views 0 to {count - 1}, not {outside[0]}")
        frames = [sequence.read(i) for i in chosen]
        if any(frame.depth is None or frame.labels is None for frame in frames):
            raise DataError(f"{self.path(number)}: a view lacks its depth or label image; draw the object again")
        depth = np.array([frame.depth for frame in frames])
        return ObjectViews(
            np.array([frame.color for frame in frames]),
            depth,
            self.labels.to_index(np.array([frame.labels for frame in frames])),
            depth > 0,
            np.array([frame.T_world_camera for frame in frames]),
            frames[0].camera,
        )

    def points(self, number: int) -> PartPoints:
        """Labelled points on an object's surface. Raises DataError in one line."""
        path = self.path(number) / "part_points.ply"
        columns, _ = read_ply(path)
        if not {"nx", "ny", "nz", "label"} <= columns.keys():
            raise DataError(f"{path} has no normals or labels; draw the object again")
        positions = np.stack([columns[name] for name in "xyz"], -1).astype(np.float32)
        normals = np.stack([columns[f"n{name}"] for name in "xyz"], -1).astype(np.float32)
        return PartPoints(positions, normals, self.labels.to_index(columns["label"]))
