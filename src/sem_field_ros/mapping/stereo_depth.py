"""Depth of a view from learned plane-sweep stereo with the views around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.mapping.stereo_views import StereoView, enlarged, match_views, stereo_view
from sem_field_ros.stereo.network import KIND, StereoNet, config_from_dict, peak_log_depth, summary
from sem_field_ros.weights import load_into, load_weights

_MAX_SPREAD = 0.06  # predicted mean absolute error of log depth: pixels less certain than this have no depth
_MIN_VIEWS = 2.0  # on average over the depths, that a pixel's matching scores come from


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
    def prepare(self, frame: PosedFrame) -> StereoView:
        """Reduce the image, compute its patches."""
        return stereo_view(frame, self._width, self.model.config.sweep, self._device)

    @torch.inference_mode()
    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[StereoView]) -> np.ndarray:
        """Match the reference with every other view, let the network read the scores."""
        depths = self.model.config.sweep.depths().to(self._device)
        scores, inside = match_views(reference, frames, prepared, depths)
        context = self.model.encode(prepared[reference].image[None])
        _, log_spread, logits = self.model(summary(scores, inside)[None], context)
        log_depth = peak_log_depth(logits, depths.log())
        matched = inside.sum(dim=0).float().mean(dim=0) >= min(_MIN_VIEWS, len(inside))
        sure = (log_spread[0].exp() < _MAX_SPREAD) & matched
        return np.asarray(enlarged(torch.where(sure, log_depth[0].exp(), 0.0)).cpu().numpy())
