"""Depth of a view from learned plane-sweep stereo with the views around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.gnesf.window import image_of_width
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.stereo.network import KIND, StereoNet, config_from_dict, summary
from sem_field_ros.stereo.sweep import match_scores, patches
from sem_field_ros.weights import load_into, load_weights

_MAX_SPREAD = 0.06  # predicted mean absolute error of log depth: pixels less certain than this have no depth
_MIN_VIEWS = 2.0  # on average over the depths, that a pixel's matching scores come from


@dataclass(frozen=True)
class _View:
    """image [3, h, w] 0..1 and its normalised patches [P, h/2, w/2]."""

    image: Tensor
    patches: Tensor


class StereoDepth:
    """A ViewEstimator; `path` is what `sem-field train depth` made. Raises WeightsError in one line."""

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        state, card = load_weights(path, KIND)
        self.model = StereoNet(config_from_dict(card.architecture))
        load_into(self.model, state, str(path))
        self._device = torch.device(device)
        self.model.eval().to(self._device)
        try:
            self._width = int(card.output["image_width"])
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{path}: its card has no image_width") from error

    @torch.inference_mode()
    def prepare(self, frame: PosedFrame) -> _View:
        """Reduce the image, compute its patches."""
        image = torch.from_numpy(image_of_width(frame.color, self._width)).to(self._device)
        image = image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4].permute(2, 0, 1).float() / 255
        return _View(image, patches(image[None], self.model.config.sweep)[0])

    @torch.inference_mode()
    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[_View]) -> np.ndarray:
        """Match the reference with every other view, let the network read the scores."""
        own = prepared[reference]
        others = [i for i, view in enumerate(prepared) if i != reference and view.patches.shape == own.patches.shape]
        rows, columns = own.patches.shape[1] // 2, own.patches.shape[2] // 2
        if not others:
            return np.zeros((rows, columns), np.float32)
        T = np.stack([inverse(frames[i].T_world_camera) @ frames[reference].T_world_camera for i in others])
        K = np.stack([_half(frames[i], self._width) for i in (reference, *others)])
        scores, inside = match_scores(
            own.patches,
            torch.stack([prepared[i].patches for i in others]),
            torch.from_numpy(K).float().to(self._device),
            torch.from_numpy(T).float().to(self._device),
            self.model.config.sweep.depths().to(self._device),
        )
        context = self.model.encode(own.image[None])
        log_depth, log_spread, _ = self.model(summary(scores, inside)[None], context)
        matched = inside.sum(dim=0).float().mean(dim=0) >= min(_MIN_VIEWS, len(others))
        sure = (log_spread[0].exp() < _MAX_SPREAD) & matched
        return np.asarray(torch.where(sure, log_depth[0].exp(), 0.0).cpu().numpy())


def _half(frame: PosedFrame, width: int) -> np.ndarray:
    """Intrinsics at half of the size that images are reduced to."""
    height = max(8, round(frame.color.shape[0] * width / frame.color.shape[1]))
    return frame.camera.scaled(width // 2, height // 2).matrix
