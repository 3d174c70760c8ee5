"""PosedImageScene: a field that is encoded from posed images, as a scene.

The source views nearest to a camera are a window; it is encoded when it is first needed, then cached.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.common.tensors import FieldSamples, FieldView, SourceImages
from sem_field_ros.fields.common.window import (
    camera_from_window,
    image_of_width,
    level_frame,
    nearest_pixels,
    nearest_views,
)
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics, project
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import PointSamples, RenderedView
from sem_field_ros.weights import WeightsCard, image_width

_MIN_OPACITY = 0.1  # rays with less have neither class nor colour, as in the field's own validation
_KEPT_WINDOWS = 4


class WindowField(Protocol):
    """A network that encodes a window of views and answers in the window's frame."""

    def encode_window(self, observations: SourceImages) -> Any:
        """Encode views whose frame is that of the first one's camera, levelled (window.level_frame)."""
        ...

    def query(self, scene: Any, points: Tensor) -> FieldSamples:
        """Answers at points [N, 3], metres."""
        ...

    def render(self, scene: Any, camera: Intrinsics, T_window_camera: Tensor) -> FieldView:
        """The view of a camera (4x4, optical frame to window)."""
        ...


@dataclass(frozen=True)
class SceneOptions:
    """Options of a field: `width` of rendered images in pixels (then enlarged to the camera's size), 0 = the camera's;

    `depth`: use the sources' depth images, if the field can; `device`: of torch. For GSNeRF alone: `target_depth`, one
    of predicted, sensor, map ("": sensor with `depth`, else predicted); `views` and `samples` other than its own (0).
    """

    width: int = 160
    depth: bool = False
    device: str = "cpu"
    target_depth: str = ""
    views: int = 0
    samples: int = 0


@dataclass(frozen=True)
class _Source:
    """image [h, w, 3] uint8 RGB, its camera and pose, classes [C, h', w'] uint8 (255 = 1), depth [h/2, w/2] metres."""

    image: np.ndarray
    camera: Intrinsics
    T_world_camera: np.ndarray
    classes: Tensor
    depth: np.ndarray

    @property
    def memory_bytes(self) -> int:
        """Memory of image, classes and depth."""
        return int(self.image.nbytes + self.classes.numel() + self.depth.nbytes)

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of image and classes: those of a window must be the same."""
        return self.image.shape, tuple(self.classes.shape)


class PosedImageScene:
    """See the module; a scene.FieldScene. `views` in a window, images reduced to `image_width` pixels."""

    def __init__(self, model: WindowField, classes: int, views: int, image_width: int, options: SceneOptions) -> None:
        self.model, self.options = model, options
        self._classes, self._views, self._image_width = classes, views, image_width
        self._device = torch.device(options.device)
        self._sources: list[_Source] = []
        self._windows: OrderedDict[tuple[int, ...], tuple[Any, np.ndarray]] = OrderedDict()

    def reset(self) -> None:
        """Forget all frames."""
        self._sources.clear()
        self._windows.clear()

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """Add a source view; a frame without class probabilities is ignored."""
        if probabilities is None:
            return
        image = image_of_width(frame.color, self._image_width)
        camera = frame.camera.scaled(image.shape[1], image.shape[0])
        classes = (probabilities.values * 255 + 0.5).to(torch.uint8).cpu()
        size = image.shape[0] // 2, image.shape[1] // 2
        depth = np.zeros(size, np.float32) if frame.depth is None else nearest_pixels(frame.depth, size)
        self._sources.append(_Source(image, camera, frame.T_world_camera, classes, depth))

    @property
    def memory_bytes(self) -> int:
        """See scene.Bounded; without the few encoded windows."""
        return sum(source.memory_bytes for source in self._sources)

    def remove(self, place: int) -> None:
        """See scene.Bounded."""
        del self._sources[place]
        windows = ((key, value) for key, value in self._windows.items() if place not in key)
        self._windows = OrderedDict((tuple(i - (i > place) for i in key), value) for key, value in windows)

    # -- answers ----------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """The view of a camera, from the window of the sources nearest to it; empty without sources."""
        size = camera.height, camera.width
        chosen = self._window_of_view(camera, T_world_camera)
        if not chosen:
            return RenderedView(
                np.zeros(size, np.float32), np.zeros((*size, 3), np.uint8), np.full(size, -1, np.int16),
                confidence=np.zeros(size, np.float32),
            )  # fmt: skip
        scene, T_world_window = self._encoded(chosen)
        width = self.options.width or camera.width
        small = camera.scaled(width, max(1, round(width * camera.height / camera.width)))
        T_window_camera = torch.linalg.inv(camera_from_window(T_world_camera, T_world_window)).to(self._device)
        return enlarged(self.model.render(scene, small, T_window_camera), size)

    @torch.inference_mode()
    def query(self, points: np.ndarray) -> PointSamples:
        """Answers at world points [N, 3], from the window around the source that has most of them in its image.

        Points that remain unanswered go to the next source, and so on.
        """
        points = np.asarray(points, np.float32).reshape(-1, 3)
        left = np.asarray(np.isfinite(points).all(axis=1))
        out: dict[str, np.ndarray] = {}
        untried = set(range(len(self._sources)))
        while left.any() and untried:
            inside = {i: self._shows(i, points) & left for i in untried}
            best = max(sorted(untried), key=lambda i: int(inside[i].sum()))
            untried.discard(best)
            asked = np.flatnonzero(inside[best])
            if not len(asked):
                break
            scene, T_world_window = self._encoded(self._window(self._sources[best].T_world_camera))
            local = transform_points(inverse(T_world_window), points[asked]).astype(np.float32)
            found = self.model.query(scene, torch.from_numpy(local).to(self._device))
            answered = found.confidence.cpu().numpy() > 0
            for name in ("classes", "confidence", "sdf", "density"):
                values = getattr(found, name)
                if values is not None:
                    column = out.setdefault(name, _blank(name, len(points), values))
                    _take(column, asked, values.float().cpu().numpy(), answered)
            left[asked[answered]] = False
        return self._samples(out, len(points))

    # -- parts ------------------------------------------------------------------------------------------------------

    def _samples(self, out: dict[str, np.ndarray], count: int) -> PointSamples:
        classes = out.get("classes", np.zeros((count, self._classes), np.float32))
        labels = np.where(classes.max(axis=1, initial=0) > 0, classes.argmax(axis=1), -1).astype(np.int16)
        confidence = out.get("confidence", np.zeros(count, np.float32))
        return PointSamples(labels, confidence, classes, out.get("sdf"), out.get("density"))

    def _shows(self, i: int, points: np.ndarray) -> np.ndarray:
        """Which points [N, 3] project into source i's image."""
        source = self._sources[i]
        finite = np.where(np.isfinite(points), points, 0)
        pixels, z = project(transform_points(inverse(source.T_world_camera), finite), source.camera)
        u, v = pixels[:, 0], pixels[:, 1]
        return (z > 0) & (u >= 0) & (v >= 0) & (u <= source.camera.width - 1) & (v <= source.camera.height - 1)

    def _window_of_view(self, camera: Intrinsics, T_world_camera: np.ndarray) -> list[int]:
        """The sources that a view is rendered from, the reference first."""
        return self._window(T_world_camera)

    def _window(self, T_world_camera: np.ndarray) -> list[int]:
        """The sources nearest to a camera; the nearest, which is the reference, first; all with images of its size."""
        order = nearest_views(T_world_camera, [s.T_world_camera for s in self._sources], len(self._sources))
        return [i for i in order if self._sources[i].sizes == self._sources[order[0]].sizes][: self._views]

    def _encoded(self, chosen: list[int]) -> tuple[Any, np.ndarray]:
        """The encoded window of these sources, and its T_world_window."""
        key = tuple(chosen)
        if key not in self._windows:
            window = [self._sources[i] for i in chosen]
            T_world_window = level_frame(window[0].T_world_camera)
            self._windows[key] = self.model.encode_window(self._observations(window, T_world_window)), T_world_window
        self._windows.move_to_end(key)
        while len(self._windows) > _KEPT_WINDOWS:
            self._windows.popitem(last=False)
        return self._windows[key]

    def _observations(self, window: list[_Source], T_world_window: np.ndarray) -> SourceImages:
        images = torch.from_numpy(np.stack([source.image for source in window])).permute(0, 3, 1, 2)
        depth = torch.from_numpy(np.stack([s.depth for s in window])).to(self._device) if self.options.depth else None
        return SourceImages(
            images.to(self._device).float() / 255,
            torch.stack([source.classes for source in window]).to(self._device).float() / 255,
            torch.from_numpy(np.stack([s.camera.matrix for s in window]).astype(np.float32)).to(self._device),
            camera_from_window(np.stack([s.T_world_camera for s in window]), T_world_window).to(self._device),
            depth,
        )


def window_size(card: WeightsCard, path: str | Path) -> tuple[int, int]:
    """Views of a window and width of their images, of a field's card. Raises WeightsError in one line."""
    try:
        return int(card.output["views"]), image_width(card, path)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its card has no image_width or views") from error


def enlarged(view: FieldView, size: tuple[int, int]) -> RenderedView:
    """A field's view at another size (height, width)."""
    values = torch.cat([view.classes, view.rgb], dim=-1).permute(2, 0, 1)[None].float()
    values = interpolate(values, size, mode="bilinear", align_corners=False)[0].cpu()
    classes, rgb = values[:-3], values[-3:]
    depth, confidence = (
        interpolate(image[None, None].float(), size, mode="nearest-exact")[0, 0].cpu().numpy()
        for image in (view.depth, view.confidence)
    )
    met = classes.sum(dim=0) > _MIN_OPACITY
    return RenderedView(
        depth,
        (rgb.permute(1, 2, 0).clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy(),
        torch.where(met, classes.argmax(dim=0), -1).to(torch.int16).numpy(),
        torch.where(met, classes, 0).permute(1, 2, 0).numpy(),
        confidence,
        met.numpy(),
    )


def _blank(name: str, count: int, like: Tensor) -> np.ndarray:
    """A column of `count` rows for points without an answer."""
    return np.full((count, *like.shape[1:]), np.nan if name == "sdf" else 0, np.float32)


def _take(column: np.ndarray, asked: np.ndarray, values: np.ndarray, answered: np.ndarray) -> None:
    """Put `values` [n, ...] of points `asked` [n] into a column; a window that does not answer keeps earlier values."""
    old = column[asked].reshape(len(asked), -1)
    new = answered | np.isnan(old).all(axis=1) | (old == 0).all(axis=1)
    column[asked[new]] = values[new]
