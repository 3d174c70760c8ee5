"""Scores of a GSNeRF on target views: colours and classes of rendered rays, and depth of the source views."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.training.samples.target_views import window_of
from sem_field_ros.training.validation.field_scores import mean_psnr

_NEAR = 0.05  # relative error of depth that counts as right


class TargetScores:
    """Scores over any number of samples (see draw_target)."""

    def __init__(self, classes: int) -> None:
        self._confusion = Confusion(classes)
        self._squared: list[Tensor] = []
        self._right: list[Tensor] = []

    def add(self, model: nn.Module, sample: dict[str, Any]) -> None:
        """Render the target view's rays of a sample."""
        device = next(model.parameters()).device
        sample = {name: value.to(device) for name, value in sample.items()}
        rendered, predicted, _ = model(window_of(sample))
        met = rendered.depth > 0
        index = torch.where(met & (rendered.classes.sum(dim=1) > 0.5), rendered.classes.argmax(dim=1), -1)
        self._confusion.add(sample["label"].cpu().numpy(), index.cpu().numpy())
        self._squared.append((rendered.rgb.clamp(0, 1) - sample["rgb"])[met].square().mean(dim=1))
        for i, depth in predicted.items():
            truth = sample["true_depth"][i]
            found = interpolate(depth.depth[None, None], truth.shape, mode="nearest-exact")[0, 0]
            known = truth > 0
            self._right.append(((found / truth.clamp(min=1e-3)).log().abs() < _NEAR)[known].float())

    def scores(self) -> dict[str, float]:
        """psnr of the rays with any source, miou, depth_right: share of source pixels whose depth is within 5 %."""
        found = {"psnr": mean_psnr(self._squared), "miou": self._confusion.scores().miou}
        if self._right:
            found["depth_right"] = float(torch.cat(self._right).mean())
        return found
