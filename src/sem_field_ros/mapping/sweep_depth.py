"""Depth of a view from plane sweep alone, the best match wins: the classical baseline, nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.frame import PosedFrame
from sem_field_ros.mapping.stereo_views import StereoView, enlarged, match_views, stereo_view
from sem_field_ros.stereo.sweep import SweepConfig

_WIDTH = 320  # of the images that are matched
_MIN_SCORE = 0.5  # mean correlation with the views that see a point
_MIN_MARGIN = 0.1  # by which the best depth must beat every depth that is not next to it
_MIN_VIEWS = 3


class SweepDepth:
    """A ViewEstimator without weights."""

    def __init__(self, device: str = "cpu", sweep: SweepConfig | None = None) -> None:
        self._sweep, self._device = sweep or SweepConfig(), torch.device(device)

    @torch.inference_mode()
    def prepare(self, frame: PosedFrame) -> StereoView:
        """Reduce the image, compute its patches."""
        return stereo_view(frame, _WIDTH, self._sweep, self._device)

    @torch.inference_mode()
    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[StereoView]) -> np.ndarray:
        """The depth of the best mean score, refined by a parabola, where it is high and the only one."""
        depths = self._sweep.depths().to(self._device)
        scores, inside = match_views(reference, frames, prepared, depths)
        count = inside.sum(dim=0)
        mean = torch.where(count >= _MIN_VIEWS, scores.sum(dim=0) / count.clamp(min=1), -1.0)
        best, index = mean.max(dim=0)
        far = (torch.arange(len(depths), device=mean.device)[:, None, None] - index).abs() > 2
        second = mean.masked_fill(~far, -1.0).amax(dim=0)
        log_depth = torch.log(depths[0]) + (index + _offset(mean, index)) * torch.log(depths[1] / depths[0])
        sure = (best > _MIN_SCORE) & (best - second > _MIN_MARGIN)
        return np.asarray(enlarged(torch.where(sure, log_depth.exp(), 0.0)).cpu().numpy())


def _offset(scores: Tensor, index: Tensor) -> Tensor:
    """Where between its neighbours the peak of scores [D, h, w] at `index` [h, w] lies, -0.5..0.5 planes."""
    middle = index.clamp(1, len(scores) - 2)
    before, at, after = (scores.gather(0, (middle + k)[None])[0] for k in (-1, 0, 1))
    return (0.5 * (before - after) / (before - 2 * at + after).clamp(max=-1e-6)).clamp(-0.5, 0.5)
