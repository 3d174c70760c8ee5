"""GsnerfScene: a GSNeRF as a scene; keyframes are encoded once, any view is rendered from those nearest to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.fields.common.posed_images import SceneOptions, enlarged
from sem_field_ros.fields.common.rays import Rays, camera_rays
from sem_field_ros.fields.common.tensors import FieldView
from sem_field_ros.fields.gsnerf.config import hand_made
from sem_field_ros.fields.gsnerf.encoded import EncodedViews
from sem_field_ros.fields.gsnerf.fast_render import render_view
from sem_field_ros.fields.gsnerf.gains import apply_gains
from sem_field_ros.fields.gsnerf.keyframes import MAP, PREDICTED, SENSOR, Keyframes
from sem_field_ros.fields.gsnerf.model import Gsnerf
from sem_field_ros.fields.gsnerf.target_depth import consensus_depth, target_depth
from sem_field_ros.fields.gsnerf.window import window_gains
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.scene import Renderable
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import PointSamples, RenderedView

_VIEWS, _IMAGE_WIDTH = 8, 320  # of the hand-made field
_LABEL_VIEWS = 24  # sources of classes: one point per pixel costs little


def open_field(path: str | Path, labels: LabelSet, options: SceneOptions) -> GsnerfScene:
    """An empty scene of the field `gsnerf`: without networks and weights, for any label set."""
    model = Gsnerf(hand_made(len(labels))).eval().to(torch.device(options.device))
    return GsnerfScene(model, len(labels), options.views or _VIEWS, _IMAGE_WIDTH, options)


class GsnerfScene:
    """See the module; a scene.FieldScene. `views` sources of colours, images reduced to `image_width` pixels."""

    def __init__(self, model: Gsnerf, classes: int, views: int, image_width: int, options: SceneOptions) -> None:
        self.model, self.options = model, options
        self._classes, self._views = classes, views
        self._device = torch.device(options.device)
        source = options.target_depth or (SENSOR if options.depth else PREDICTED)
        self.keyframes = Keyframes(model, classes, image_width, source, self._device)

    def use_map(self, scene: Renderable) -> None:
        """The scene whose depth is the target depth, with `target_depth: map`."""
        self.keyframes.map = scene

    def reset(self) -> None:
        """Forget all frames."""
        self.keyframes.clear()

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """Add a source view; without class probabilities it has colours alone."""
        self.keyframes.add(frame, probabilities)

    @property
    def memory_bytes(self) -> int:
        """See scene.Bounded; with the encodings."""
        return self.keyframes.memory_bytes

    def remove(self, place: int) -> None:
        """See scene.Bounded."""
        self.keyframes.remove(place)

    @torch.inference_mode()
    def prepare(self) -> bool:
        """See scene.Preparing."""
        return self.keyframes.prepare()

    @torch.inference_mode()
    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """The view of a camera, from the sources nearest to it; empty without sources."""
        size = camera.height, camera.width
        if not len(self.keyframes):
            return RenderedView(
                np.zeros(size, np.float32), np.zeros((*size, 3), np.uint8), np.full(size, -1, np.int16),
                confidence=np.zeros(size, np.float32),
            )  # fmt: skip
        width = min(self.options.width or camera.width, camera.width)
        small = camera.scaled(width, max(1, round(width * camera.height / camera.width)))
        return enlarged(self.field_view(small, T_world_camera), size)

    def field_view(self, camera: Intrinsics, T_world_camera: np.ndarray) -> FieldView:
        """The view at the size of `camera`."""
        order = self.keyframes.nearest(T_world_camera)
        encoded = self.keyframes.encoded(order[:_LABEL_VIEWS], T_world_camera)
        nearest = encoded.chosen(torch.arange(min(self._views, len(encoded)), device=self._device))
        target, rays = self._target(encoded, camera, T_world_camera)
        gains = window_gains(nearest, rays, target.flatten())
        nearest = replace(nearest, images=apply_gains(nearest.images, gains))
        return render_view(self.model, nearest, encoded, camera, target, bool(encoded.known.all()))

    def _target(self, encoded: EncodedViews, camera: Intrinsics, T: np.ndarray) -> tuple[Tensor, Rays]:
        here = torch.eye(4, device=self._device)
        rays = camera_rays(camera, here)
        if self.keyframes.source == MAP and self.keyframes.map is not None:
            depth = self.keyframes.map.render(camera, T).depth
            assert depth is not None
            return torch.from_numpy(np.ascontiguousarray(depth)).to(self._device), rays
        near = encoded.chosen(torch.arange(min(self._views, len(encoded)), device=self._device))
        if not bool(near.known.all()):
            return consensus_depth(near.views, camera, here), rays
        return target_depth(near.views, camera, here, rays), rays

    @torch.inference_mode()
    def query(self, points: np.ndarray) -> PointSamples:
        """Classes at world points [N, 3] on surfaces that a source sees; elsewhere unlabelled."""
        points = np.asarray(points, np.float64).reshape(-1, 3)
        finite = np.flatnonzero(np.isfinite(points).all(axis=1))
        classes = np.zeros((len(points), self._classes), np.float32)
        confidence = np.zeros(len(points), np.float32)
        for part in np.array_split(finite, max(1, len(finite) // 65536)) if len(self.keyframes) else []:
            found, views = self._classes_at(points[part])
            classes[part] = found
            confidence[part] = found.max(axis=1, initial=0) * (1 - 0.5**views)
        labels = np.where(classes.max(axis=1, initial=0) > 0, classes.argmax(axis=1), -1).astype(np.int16)
        return PointSamples(labels, confidence, classes)

    def _classes_at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Classes [n, C] of points, and how many views see them [n]."""
        middle = np.eye(4)
        middle[:3, 3] = points.mean(axis=0) if len(points) else 0
        encoded = self.keyframes.encoded(self.keyframes.nearest(middle)[:_LABEL_VIEWS], middle)
        local = torch.from_numpy((points - middle[:3, 3]).astype(np.float32)).to(self._device)
        found, seen = self.model.point_classes(encoded, local, encoded.views.origins.mean(dim=0), on_surface=True)
        return found.cpu().numpy(), seen.sum(dim=0).cpu().numpy()
