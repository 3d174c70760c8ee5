"""Depth of a view from learned plane-sweep stereo with the views around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sem_field_ros.depth.matching import StereoView, enlarged, match_views, stereo_view
from sem_field_ros.depth.network import KIND, StereoNet, config_from_dict, peak_log_depth, summary
from sem_field_ros.depth.sweep import best_match, mean_score
from sem_field_ros.frame import PosedFrame
from sem_field_ros.weights import image_width, load_model

# Where the scores have a peak near what the network says, that is the depth: it is sharper. Chosen on validation homes.
_REACH = 1.5  # planes
_MIN_SCORE = 0.1
_MIN_VIEWS = 2
# Predicted mean absolute errors of log depth above which a pixel has no depth: with such a peak, and without
_MAX_SPREAD_MATCHED = 0.2
_MAX_SPREAD = 0.06


class StereoDepth:
    """A ViewEstimator; `path` is what `sem-field train depth` made. Raises WeightsError in one line."""

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        self.model, card = load_model(path, KIND, lambda content: StereoNet(config_from_dict(content)))
        self._width = image_width(card, path)
        self._device = torch.device(device)
        self.model.to(self._device)

    @torch.inference_mode()
    def prepare(self, frame: PosedFrame) -> StereoView:
        """Reduce the image, compute its patches."""
        return stereo_view(frame, self._width, self.model.config.sweep, self._device)

    @torch.inference_mode()
    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[StereoView]) -> np.ndarray:
        """Match the reference with every other view, let the network read the scores, refine where they have a peak."""
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
