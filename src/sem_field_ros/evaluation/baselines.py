"""Baselines of view synthesis: a map's colours, source images projected on its surface, the nearest image moved."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from sem_field_ros.fields.common.window import nearest_views
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics, project, unproject
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import RenderedView, known

_WARPED_VIEWS = 6
_KEPT_DEPTHS = 48  # held-out views come in order, so neighbours share sources
_BLEND_DEG = 2.0  # angle at which a source has 1/e of the weight of one in the new camera's direction


class MapColors:
    """The colours of the map's vertices: the mean of all observations of each surface point."""

    def __init__(self, scene: SemanticMap) -> None:
        self.scene = scene

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """See scene.Online; the map has its colours already."""

    def reset(self) -> None:
        """See scene.Online; the map is reset by its owner."""

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """See scene.Renderable."""
        view = self.scene.render(camera, T_world_camera)
        return RenderedView(view.depth, view.rgb)


class WarpedImages:
    """Image-based rendering: the source images nearest to the camera, projected onto the map's surface and blended.

    A source sees a surface point if the map, rendered into the source's camera, has nothing before it. Sources with a
    small angle between their ray and the camera's have more weight (as in Buehler et al., "Unstructured Lumigraph
    Rendering", 2001). Points that no source sees have the map's colour.
    """

    def __init__(self, scene: SemanticMap, views: int = _WARPED_VIEWS) -> None:
        self.scene, self.views = scene, views
        self._frames: list[PosedFrame] = []
        self._depths: dict[int, np.ndarray] = {}

    def reset(self) -> None:
        """See scene.Online."""
        self._frames.clear()
        self._depths.clear()

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """See scene.Online."""
        self._frames.append(replace(frame, depth=None, labels=None, extra={}))  # bounds the memory of long sequences

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """See scene.Renderable."""
        view = self.scene.render(camera, T_world_camera)
        depth, rgb = known(view.depth), known(view.rgb)
        points = transform_points(T_world_camera, unproject(depth, camera))
        total, blended = np.zeros(depth.shape), np.zeros(rgb.shape)
        for i in nearest_views(T_world_camera, [frame.T_world_camera for frame in self._frames], self.views):
            color, seen = self._project(i, points)
            weight = seen * np.exp(-_angle_deg(points, T_world_camera, self._frames[i].T_world_camera) / _BLEND_DEG)
            total += weight
            blended += weight[..., None] * color
        seen_by_any = (depth > 0) & (total > 0)
        mean = blended / np.where(seen_by_any, total, 1)[..., None]
        return RenderedView(depth, np.where(seen_by_any[..., None], mean + 0.5, rgb).astype(np.uint8))

    def _project(self, i: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours [h, w, 3] of source `i` at world points [h, w, 3], and which of them it sees [h, w]."""
        frame = self._frames[i]
        if i not in self._depths:
            if len(self._depths) >= _KEPT_DEPTHS:
                self._depths.pop(next(iter(self._depths)))
            self._depths[i] = known(self.scene.render(frame.camera, frame.T_world_camera).depth)
        pixels, z = project(transform_points(inverse(frame.T_world_camera), points), frame.camera)
        u, v = np.clip(pixels.astype(np.float32), -1e4, 1e5).transpose(2, 0, 1)  # remap needs finite values
        color = cv2.remap(frame.color, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        depth = cv2.remap(self._depths[i], u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        inside = (u >= 0) & (v >= 0) & (u <= frame.camera.width - 1) & (v <= frame.camera.height - 1)
        near = np.abs(depth - z) < self.scene.config.vote_tolerance_m
        return color, inside & near & (z > 0) & (depth > 0)


class NearestImage:
    """The source image nearest to the camera alone, moved by its own depth image with a z-buffer; holes stay black."""

    def __init__(self) -> None:
        self._frames: list[PosedFrame] = []

    def reset(self) -> None:
        """See scene.Online."""
        self._frames.clear()

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """See scene.Online."""
        self._frames.append(replace(frame, labels=None, extra={}))

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """See scene.Renderable."""
        size = camera.height, camera.width
        depth, rgb = np.full(size, np.inf, np.float32), np.zeros((*size, 3), np.uint8)
        for i in nearest_views(T_world_camera, [frame.T_world_camera for frame in self._frames], 1):
            frame = self._frames[i]
            assert frame.depth is not None
            color = cv2.resize(frame.color, frame.depth.shape[::-1], interpolation=cv2.INTER_AREA)
            points = unproject(frame.depth, frame.camera)[frame.depth > 0]
            pixels, z = project(transform_points(inverse(T_world_camera) @ frame.T_world_camera, points), camera)
            u, v = np.round(np.clip(pixels, -1e4, 1e5)).astype(np.int64).T
            kept = (z > 1e-3) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
            far_first = np.argsort(-z[kept], kind="stable")  # the nearest point of a pixel is written last
            where = v[kept][far_first], u[kept][far_first]
            depth[where], rgb[where] = z[kept][far_first], color[frame.depth > 0][kept][far_first]
        return RenderedView(np.where(np.isfinite(depth), depth, 0).astype(np.float32), rgb)


def _angle_deg(points: np.ndarray, T_a: np.ndarray, T_b: np.ndarray) -> np.ndarray:
    """Angle at points [..., 3] between the directions to two cameras, degrees."""
    a, b = points - T_a[:3, 3], points - T_b[:3, 3]
    length = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.degrees(np.arccos(np.clip((a * b).sum(axis=-1) / np.maximum(length, 1e-9), -1, 1)))
