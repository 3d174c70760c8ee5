"""A whole GNeSF as a Renderer: the window of source views nearest to a camera is encoded, then rendered into it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sem_field_ros.errors import WeightsError
from sem_field_ros.evaluation.renderers import Rendering, nearest_views
from sem_field_ros.fields.common.window import (
    camera_from_window,
    image_of_width,
    level_frame,
    nearest_pixels,
    volume_center,
)
from sem_field_ros.fields.field import FieldView
from sem_field_ros.fields.gnesf.config import GnesfConfig, config_from_dict
from sem_field_ros.fields.gnesf.model import KIND, Gnesf, SourceImages
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.weights import WeightsCard, load_into, load_weights

_MIN_OPACITY = 0.1  # a ray that meets less has neither class nor colour, as in the field's own validation


@dataclass(frozen=True)
class _Source:
    """image [h, w, 3] uint8 RGB, its camera and pose, classes [C, h', w'] uint8 (255 = 1), depth [h/2, w/2] metres."""

    image: np.ndarray
    camera: Intrinsics
    T_world_camera: np.ndarray
    classes: Tensor
    depth: np.ndarray

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of image and classes: a window's are all the same."""
        return self.image.shape, tuple(self.classes.shape)


class FieldRenderer:
    """What `sem-field train field` made, of either geometry. Raises WeightsError in one line.

    Its weights know nothing of classes: it votes on those of any segmenter (`labels`), unless it was trained to predict
    them directly. `width` of the image that is rendered, in pixels; the answer is enlarged to the camera asked for.
    `depth`: the sources' depth images are given to it as well, for fields that look at them.
    """

    def __init__(
        self, path: str | Path, labels: LabelSet, width: int = 160, depth: bool = False, device: str = "cpu"
    ) -> None:
        state, card = load_weights(path, KIND)
        self.model = Gnesf(_for_labels(config_from_dict(card.architecture), card, labels, path))
        load_into(self.model, state, str(path))
        self._device = torch.device(device)
        self.model.eval().to(self._device)
        try:
            self._image_width, self._views = int(card.output["image_width"]), int(card.output["views"])
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{path}: its card has no image_width or views") from error
        self._width, self._depth = width, depth
        self._sources: list[_Source] = []

    def reset(self) -> None:
        """Another scene: forget the sources."""
        self._sources.clear()

    def take(self, frame: PosedFrame, probabilities: ClassProbabilities | None) -> None:
        """See Renderer; a frame that nothing is known about is no source."""
        if probabilities is not None:
            image = image_of_width(frame.color, self._image_width)
            camera = frame.camera.scaled(image.shape[1], image.shape[0])
            classes = (probabilities.values * 255 + 0.5).to(torch.uint8).cpu()
            size = image.shape[0] // 2, image.shape[1] // 2
            depth = np.zeros(size, np.float32) if frame.depth is None else nearest_pixels(frame.depth, size)
            self._sources.append(_Source(image, camera, frame.T_world_camera, classes, depth))

    @torch.inference_mode()
    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> Rendering:
        """See Renderer."""
        size = camera.height, camera.width
        window = self._window(T_world_camera)
        if not window:
            return Rendering(np.zeros(size, bool), np.zeros((*size, 3), np.uint8), np.full(size, -1, np.int16))
        T_world_window = level_frame(window[0].T_world_camera)
        volume = self.model.config.volume
        center = volume_center(volume.cells * volume.cell_m).to(self._device)
        scene = self.model.encode(self._observations(window, T_world_window), center)
        small = camera.scaled(self._width, max(1, round(self._width * camera.height / camera.width)))
        T_window_camera = torch.linalg.inv(camera_from_window(T_world_camera, T_world_window)).to(self._device)
        return _enlarged(self.model.render(scene, small, T_window_camera), size)

    def _window(self, T_world_camera: np.ndarray) -> list[_Source]:
        """The nearest sources, the nearest of all, which is the reference, first; all with images of its size."""
        order = nearest_views(T_world_camera, [s.T_world_camera for s in self._sources], len(self._sources))
        sources = [self._sources[i] for i in order]
        return [source for source in sources if source.sizes == sources[0].sizes][: self._views]

    def _observations(self, window: list[_Source], T_world_window: np.ndarray) -> SourceImages:
        images = torch.from_numpy(np.stack([source.image for source in window])).permute(0, 3, 1, 2)
        return SourceImages(
            images.to(self._device).float() / 255,
            torch.stack([source.classes for source in window]).to(self._device).float() / 255,
            torch.from_numpy(np.stack([s.camera.matrix for s in window]).astype(np.float32)).to(self._device),
            camera_from_window(np.stack([s.T_world_camera for s in window]), T_world_window).to(self._device),
            torch.from_numpy(np.stack([s.depth for s in window])).to(self._device) if self._depth else None,
        )


def _for_labels(config: GnesfConfig, card: WeightsCard, labels: LabelSet, path: str | Path) -> GnesfConfig:
    if config.semantics != "direct":
        return dataclasses.replace(config, classes=len(labels))
    own = str((card.label_set or {}).get("name", "?"))
    if own != labels.name:
        raise WeightsError(f"{path} predicts classes of {own} directly; the segmenter's are {labels.name}")
    return config


def _enlarged(view: FieldView, size: tuple[int, int]) -> Rendering:
    """Classes and colour at another size."""
    assert view.classes is not None and view.rgb is not None
    values = torch.cat([view.classes, view.rgb], dim=-1).permute(2, 0, 1)[None].float()
    values = interpolate(values, size, mode="bilinear", align_corners=False)[0].cpu()
    classes, rgb = values[:-3], values[-3:]
    met = classes.sum(dim=0) > _MIN_OPACITY
    return Rendering(
        met.numpy(),
        (rgb.permute(1, 2, 0).clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy(),
        torch.where(met, classes.argmax(dim=0), -1).to(torch.int16).numpy(),
    )
