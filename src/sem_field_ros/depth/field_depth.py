"""Depth of a view from a GNeSF: the signed distance predicted for a window of views, ray cast into the view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.common.views import SourceViews
from sem_field_ros.fields.common.window import camera_from_window, image_of_width, level_frame, volume_center
from sem_field_ros.fields.gnesf.config import KIND, config_from_dict
from sem_field_ros.fields.gnesf.model import Gnesf
from sem_field_ros.fields.gnesf.ray_depth import surface_depth
from sem_field_ros.frame import PosedFrame
from sem_field_ros.weights import load_image_model

_DEPTH_SCALE = 0.5  # size of the depth image relative to the images of the field


@dataclass(frozen=True)
class _View:
    """image [3, h, w] 0..1 and its features [D, h/4, w/4]."""

    image: Tensor
    features: Tensor


class FieldDepth:
    """A ViewEstimator with weights of `sem-field train gnesf --representation sdf`. Raises WeightsError."""

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self.model, self._width = load_image_model(path, KIND, lambda c: Gnesf(config_from_dict(c)), self._device)
        if self.model.config.representation != "sdf":
            raise WeightsError(
                f"{path} has a density, for view synthesis: depth needs a field trained with --representation sdf"
            )

    @torch.inference_mode()
    def prepare(self, frame: PosedFrame) -> _View:
        """Reduce the image and compute its features."""
        image = torch.from_numpy(image_of_width(frame.color, self._width)).to(self._device)
        image = image.permute(2, 0, 1).float() / 255
        return _View(image, self.model.image_net(image[None])[0])

    @torch.inference_mode()
    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[_View]) -> np.ndarray:
        """Encode the volume in front of the reference camera and ray cast its surface."""
        height, width = prepared[reference].image.shape[1:]
        same = [i for i, view in enumerate(prepared) if view.image.shape[1:] == (height, width)]
        T_world_window = level_frame(frames[reference].T_world_camera)
        cameras = [frames[i].camera.scaled(width, height) for i in same]
        views = SourceViews(
            torch.stack([prepared[i].features for i in same]),
            torch.zeros(len(same), self.model.config.classes, 1, 1, device=self._device),
            torch.from_numpy(np.stack([c.matrix for c in cameras]).astype(np.float32)).to(self._device),
            camera_from_window(np.stack([frames[i].T_world_camera for i in same]), T_world_window).to(self._device),
            (width, height),
        )
        images = torch.stack([prepared[i].image for i in same])
        volume = self.model.config.volume
        center = volume_center(volume.cells * volume.cell_m).to(self._device)
        scene = self.model.encode_views(views, images, center)
        camera = frames[reference].camera.scaled(round(width * _DEPTH_SCALE), round(height * _DEPTH_SCALE))
        T_window_camera = torch.linalg.inv(views.T_camera_world[same.index(reference)])
        return np.asarray(surface_depth(self.model, scene, camera, T_window_camera).cpu().numpy())
