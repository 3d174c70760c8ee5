"""Saved maps and PLY files, converted to what the viewer draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import UNLABELLED_ID, LabelSet
from sem_field_ros.viewer.inspection import Answer, Ask, PointProbabilities
from sem_field_ros.viewer.mesh_chunks import SAME_M, Triangles, position_keys
from sem_field_ros.viewer.points import LabelledPoints
from sem_field_ros.viewer.rendered_view import AskView

if TYPE_CHECKING:
    from sem_field_ros.mapping.submaps import Submaps

_MAX_HEADER_LINES = 1000


@dataclass(frozen=True)
class ViewedFile:
    """The content of a file, as far as it has each of these.

    triangles  none for a cloud              names   class names by id, where there is no label set
    path       T_world_camera of keyframes   frame   of the coordinates, empty if unknown
    ask        where class probabilities come from
    ask_view   where rendered views come from
    """

    cloud: LabelledPoints
    triangles: Triangles
    names: dict[int, str] = field(default_factory=dict)
    labels: LabelSet | None = None
    path: list[np.ndarray] = field(default_factory=list)
    frame: str = ""
    ask: Ask | None = None
    ask_view: AskView | None = None


def view_map(saved: Submaps, frame: str) -> ViewedFile:
    """A loaded map; `frame` is the frame of its coordinates."""
    from sem_field_ros.viewer.scene_views import SceneViews  # imports torch, which PLY files do without

    surface, labels = saved.surface(), saved.labels
    once = surface.cloud()

    def ask(position: np.ndarray, reply: Callable[[Answer], None]) -> None:
        values = saved.query(position[None]).probabilities
        assert values is not None  # a voted map always has them
        reply(PointProbabilities(tuple(labels.names), values[0]))

    return ViewedFile(
        LabelledPoints.from_arrays(once.vertices, once.colors, labels.to_id(once.labels), once.confidence),
        triangles_of(surface.vertices, surface.colors, surface.faces),
        labels=labels,
        path=saved.camera_poses,
        frame=frame,
        ask=ask,
        ask_view=SceneViews(saved, labels).ask,
    )


def open_ply(path: Path) -> ViewedFile:
    """Load a PLY file with points, maybe triangles and class names.

    Points without a label are unlabelled, without a colour grey. Names come from header comments `class ID NAME`, as
    `sem-field map` writes them. Raises DataError.
    """
    columns, faces = read_ply(path)
    count = len(columns["x"])
    if count == 0:
        raise DataError(f"{path}: the PLY file has no points")
    points = np.stack([columns[axis] for axis in "xyz"], axis=1)
    rgb = np.full((count, 3), 160, np.uint8)
    if {"red", "green", "blue"} <= columns.keys():
        rgb = np.stack([columns[name] for name in ("red", "green", "blue")], axis=1).astype(np.uint8)
    ids = columns.get("label", np.full(count, UNLABELLED_ID))
    cloud = LabelledPoints.from_arrays(points, rgb, ids, columns.get("confidence"))
    if len(faces):  # two blocks share the vertices on their border
        cloud = cloud.take(np.sort(np.unique(position_keys(cloud.points, SAME_M), return_index=True)[1]))
    return ViewedFile(cloud, triangles_of(points, rgb, faces), _class_names(path))


def triangles_of(vertices: np.ndarray, rgb: np.ndarray, faces: np.ndarray) -> Triangles:
    """Vertices [V, 3], their colours [V, 3] uint8, faces [F, 3] -> corners."""
    corners = vertices[faces.reshape(-1)].astype(np.float32)
    good = np.isfinite(corners).reshape(-1, 9).all(axis=1).repeat(3)
    return Triangles(corners[good], rgb[faces.reshape(-1)][good])


def _class_names(path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    with path.open("rb") as file:
        for line in islice(file, _MAX_HEADER_LINES):
            if line.strip() == b"end_header":
                break
            words = line.decode("utf-8", errors="replace").split(maxsplit=3)
            if len(words) == 4 and words[:2] == ["comment", "class"] and words[2].isdigit():
                names[int(words[2])] = words[3].strip()
    return names
