"""What the map gives out: block surfaces (vertices with colour, label, confidence), query answers, rendered views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """What changed since the last update: new or changed block surfaces and vanished blocks, by stable block id."""

    changed: dict[int, Surface]
    removed: list[int]


@dataclass(frozen=True)
class PointSamples:
    """Answers to a point query, N points.

    sdf            [N] float32 metres, positive in free space, NaN where nothing was observed
    labels         [N] int16 class index, -1 = unlabelled (unobserved, or no labelled surface within reach)
    confidence     [N] float32 in [0, 1]
    probabilities  [N, C] float32, zeros where unlabelled
    """

    sdf: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class RenderedView:
    """The map seen from a camera: depth [h, w] float32 metres (0 = nothing), labels [h, w] int16 (-1), confidence."""

    depth: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    colors: np.ndarray  # [h, w, 3] uint8


def render_surface(
    surface: Surface, raycaster: MeshRaycaster, camera: Intrinsics, T_world_camera: np.ndarray
) -> RenderedView:
    """Ray cast a labelled surface into a camera; `raycaster` holds its mesh."""
    depth, vertex = raycaster.cast(camera, T_world_camera)
    if len(surface) == 0:
        empty = np.zeros(depth.shape, np.float32)
        return RenderedView(depth, np.full(depth.shape, -1, np.int16), empty, np.zeros((*depth.shape, 3), np.uint8))
    hit = vertex >= 0
    return RenderedView(
        depth,
        np.where(hit, surface.labels[vertex], -1).astype(np.int16),
        np.where(hit, surface.confidence[vertex], 0).astype(np.float32),
        np.where(hit[..., None], surface.colors[vertex], 0).astype(np.uint8),
    )
