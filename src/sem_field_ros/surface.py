"""The answers of scenes, one type each: labelled surfaces, samples at points, rendered views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.raycast import MeshRaycaster


@dataclass(frozen=True)
class Surface:
    """A labelled triangle mesh in the world frame; its vertices are the semantic cloud's points.

    vertices    [V, 3] float32 metres       normals  [V, 3] float32 unit, towards free space
    colors      [V, 3] uint8 RGB            labels   [V] int16 class index, -1 = unlabelled
    confidence  [V] float32 in [0, 1]       faces    [F, 3] int32 counter-clockwise seen from free space
    owned       [V] bool: False for vertices that a neighbouring block owns too, so a cloud has each point once
    """

    vertices: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    faces: np.ndarray
    owned: np.ndarray

    def __len__(self) -> int:
        return len(self.vertices)

    @classmethod
    def empty(cls) -> Surface:
        """A surface without vertices."""
        return cls(
            np.zeros((0, 3), np.float32),
            np.zeros((0, 3), np.float32),
            np.zeros((0, 3), np.uint8),
            np.zeros(0, np.int16),
            np.zeros(0, np.float32),
            np.zeros((0, 3), np.int32),
            np.zeros(0, bool),
        )

    def cloud(self) -> Surface:
        """Return the owned vertices alone, without faces: each surface point once."""
        if self.owned.all() and len(self.faces) == 0:
            return self
        keep = self.owned
        return Surface(
            self.vertices[keep],
            self.normals[keep],
            self.colors[keep],
            self.labels[keep],
            self.confidence[keep],
            np.zeros((0, 3), np.int32),
            np.ones(int(keep.sum()), bool),
        )


def merge_surfaces(parts: Sequence[Surface]) -> Surface:
    """Concatenate surfaces; border vertices stay duplicated (same positions), faces are re-indexed."""
    parts = [p for p in parts if len(p)]
    if not parts:
        return Surface.empty()
    offsets = np.cumsum([0] + [len(p) for p in parts[:-1]])
    return Surface(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.normals for p in parts]),
        np.concatenate([p.colors for p in parts]),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.confidence for p in parts]),
        np.concatenate([p.faces + o for p, o in zip(parts, offsets, strict=True)]).astype(np.int32),
        np.concatenate([p.owned for p in parts]),
    )


@dataclass(frozen=True)
class SurfaceUpdate:
    """Changes since the last update: new or changed block surfaces and vanished blocks, by stable block id."""

    changed: dict[int, Surface]
    removed: list[int]


def known(answer: np.ndarray | None) -> np.ndarray:
    """An answer that the caller knows this scene to have. Raises TypeError where it has not."""
    if answer is None:
        raise TypeError("this scene does not answer that")
    return answer


@dataclass(frozen=True)
class PointSamples:
    """Answers of a scene at N points; None for what the scene does not have.

    labels         [N] int16 class index, -1 = unlabelled (unobserved, or no labelled surface within reach)
    confidence     [N] float32 in [0, 1]
    probabilities  [N, C] float32 class probabilities, zeros where unlabelled
    sdf            [N] float32 signed distance, metres, positive in free space, NaN where nothing was observed
    density        [N] float32 volume density, 1/m
    udf            [N] float32 unsigned distance, metres, NaN where nothing was observed
    """

    labels: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray | None = None
    sdf: np.ndarray | None = None
    density: np.ndarray | None = None
    udf: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class RenderedView:
    """A scene rendered into a camera of h x w pixels; None for what the scene does not have.

    depth          [h, w] float32 metres along z, 0 = nothing there
    rgb            [h, w, 3] uint8
    labels         [h, w] int16 class index, -1 = unlabelled
    probabilities  [h, w, C] float32 class probabilities, zeros where unlabelled
    confidence     [h, w] float32 in [0, 1]
    covered        [h, w] bool, where the scene shows anything; by default where there is depth, else labels
    """

    depth: np.ndarray | None = None
    rgb: np.ndarray | None = None
    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    confidence: np.ndarray | None = None
    covered: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))

    def __post_init__(self) -> None:
        if self.covered.size == 0:
            shown = self.depth if self.depth is not None else None if self.labels is None else self.labels + 1
            if shown is not None:
                object.__setattr__(self, "covered", shown > 0)


class SurfaceScene:
    """A labelled surface as a Renderable scene: it is ray cast, exact to the triangle."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self._raycaster = MeshRaycaster(surface.vertices, surface.faces)

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """Depth, colour, labels and confidence of the surface in a camera; see scene.Renderable."""
        depth, vertex = self._raycaster.cast(camera, T_world_camera)
        hit = vertex >= 0
        surface = self.surface if len(self.surface) else _one_vertex()
        return RenderedView(
            depth,
            np.where(hit[..., None], surface.colors[vertex], 0).astype(np.uint8),
            np.where(hit, surface.labels[vertex], -1).astype(np.int16),
            confidence=np.where(hit, surface.confidence[vertex], 0).astype(np.float32),
        )


def _one_vertex() -> Surface:
    """A row for index -1 (nothing hit) of a surface without vertices."""
    empty = Surface.empty()
    columns = (np.zeros((1, *getattr(empty, f.name).shape[1:]), getattr(empty, f.name).dtype) for f in fields(Surface))
    return Surface(*columns)
