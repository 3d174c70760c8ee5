"""Depth of a view by a network that reads the plane-sweep scores of the views around it and the image itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sem_field_ros.depth.matching import StereoView, enlarged, match_views, stereo_view
from sem_field_ros.depth.network import KIND, StereoNet, config_from_dict, peak_log_depth, summary
from sem_field_ros.depth.sweep import best_match, mean_score
from sem_field_ros.frame import PosedFrame
from sem_field_ros.weights import load_image_model

# A peak of the scores near the predicted depth is more precise than the prediction. Chosen on validation homes.
_REACH = 1.5  # planes
_MIN_SCORE = 0.1
_MIN_VIEWS = 2
# Largest predicted mean absolute error of log depth of a pixel that gets a depth, with such a peak and without
_MAX_SPREAD_MATCHED = 0.2
_MAX_SPREAD = 0.06


class NetworkDepth:
    """A ViewEstimator with weights of `sem-field train depth`. Raises WeightsError."""

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self.model, self._width = load_image_model(path, KIND, lambda c: StereoNet(config_from_dict(c)), self._device)

    @torch.inference_mode()
    def prepare(self, frame: PosedFrame) -> StereoView:
        """Reduce the image and compute its patches."""
        return stereo_view(frame, self._width, self.model.config.sweep, self._device)

    @torch.inference_mode()
    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[StereoView]) -> np.ndarray:
        """Match the reference with the other views, predict depth from the scores, refine it at peaks of the scores."""
        depths = self.model.config.sweep.depths().to(self._device)
        scores, inside = match_views(reference, frames, prepared, depths)
        context = self.model.encode(prepared[reference].image[None])
        _, log_spread, logits = self.model(summary(scores, inside)[None], context)
        spread = log_spread[0].exp()
        guess = peak_log_depth(logits, depths.log())[0]
        step = torch.log(depths[1] / depths[0])
        guessed = (guess - torch.log(depths[0])) / step
        near = (torch.arange(len(depths), device=self._device)[:, None, None] - guessed).abs() <= _REACH
        place, score, is_peak = best_match(mean_score(scores, inside, _MIN_VIEWS), near)
        matched = is_peak & (score > _MIN_SCORE)
        log_depth = torch.where(matched, torch.log(depths[0]) + place * step, guess)
        sure = spread < torch.where(matched, _MAX_SPREAD_MATCHED, _MAX_SPREAD)
        return np.asarray(enlarged(torch.where(sure, log_depth.exp(), 0.0)).cpu().numpy())
