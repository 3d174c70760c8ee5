"""Depth of a view by plane sweep alone, from the best match: the classical baseline, without learning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sem_field_ros.depth.matching import StereoView, enlarged, match_views, stereo_view
from sem_field_ros.depth.sweep import SweepConfig, best_match, mean_score
from sem_field_ros.frame import PosedFrame

_WIDTH = 320  # of the images that are matched
_MIN_SCORE = 0.2  # least mean correlation with the views that see a point
_MIN_MARGIN = 0.02  # least margin of the best score over those of planes that are not next to it
_MIN_VIEWS = 2
_NEXT = 2.5  # planes closer than this are next to each other


class SweepDepth:
    """A ViewEstimator without weights."""

    def __init__(self, device: str = "cpu", sweep: SweepConfig | None = None) -> None:
        self._sweep, self._device = sweep or SweepConfig(), torch.device(device)

    @torch.inference_mode()
    def prepare(self, frame: PosedFrame) -> StereoView:
        """Reduce the image and compute its patches."""
        return stereo_view(frame, _WIDTH, self._sweep, self._device)

    @torch.inference_mode()
    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[StereoView]) -> np.ndarray:
        """The depth of the best mean score, refined by a parabola, if the score is high and unambiguous."""
        depths = self._sweep.depths().to(self._device)
        scores, inside = match_views(reference, frames, prepared, depths)
        mean = mean_score(scores, inside, _MIN_VIEWS)
        place, best, is_peak = best_match(mean)
        far = (torch.arange(len(depths), device=mean.device)[:, None, None] - place).abs() > _NEXT
        second = mean.masked_fill(~far, -1.0).amax(dim=0)
        log_depth = torch.log(depths[0]) + place * torch.log(depths[1] / depths[0])
        sure = is_peak & (best > _MIN_SCORE) & (best - second > _MIN_MARGIN)
        return np.asarray(enlarged(torch.where(sure, log_depth.exp(), 0.0)).cpu().numpy())
