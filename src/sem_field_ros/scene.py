"""Scenes: the common interface of semantic fields, live maps and baselines.

encode(views) -> scene; query(points) -> samples; render(camera) -> view. The abilities are separate: a field of
a point cloud need not render, a baseline need not answer queries. fields/registry.py opens weights as a scene.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.surface import PointSamples, RenderedView

if TYPE_CHECKING:
    from sem_field_ros.segmentation.segmenter import ClassProbabilities


@runtime_checkable
class Queryable(Protocol):
    """A scene with answers at points."""

    def query(self, points: np.ndarray) -> PointSamples:
        """Answers at `points` [N, 3] (world frame, metres); points that are not finite are unlabelled."""
        ...


@runtime_checkable
class Renderable(Protocol):
    """A scene that renders into cameras."""

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """The view of a camera with pose `T_world_camera` (4x4, optical frame to world, metres)."""
        ...


@runtime_checkable
class Online(Protocol):
    """A scene that is encoded frame by frame."""

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """Add a posed frame, with the class probabilities of its image if it was segmented."""
        ...

    def reset(self) -> None:
        """Forget all frames."""
        ...


@runtime_checkable
class MapGuided(Protocol):
    """A scene that can take the depth of its views from another one, the live map's."""

    def use_map(self, scene: Renderable) -> None:
        """The scene whose depth is used."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A scene that can forget single frames, so that its memory is bounded while the robot goes on."""

    @property
    def memory_bytes(self) -> int:
        """Memory of the frames that are kept, bytes."""
        ...

    def remove(self, place: int) -> None:
        """Forget the frame at `place` in the order of adding; the places of later frames move up by one."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A scene that encodes frames when they are first needed, and can do so before."""

    def prepare(self) -> bool:
        """Encode the next frame that is not encoded yet, the newest first; False if there is none."""
        ...


class BoundedView(Online, Renderable, Bounded, Protocol):
    """A scene that is encoded frame by frame, renders, and forgets: what the view renderer keeps."""


class OnlineView(Online, Renderable, Protocol):
    """A scene that is encoded frame by frame and renders: what is scored in held-out views."""


class FieldScene(Online, Queryable, Renderable, Protocol):
    """What `fields.registry.open_scene` returns: encoded frame by frame, answers at points and for cameras."""
