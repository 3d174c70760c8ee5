"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599): one number that calibrates class probabilities."""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

from sem_field_ros.evaluation.calibration import Calibration

_RANGE = (0.05, 20.0)


def fitted_temperature(logits: Tensor, index: Tensor) -> float:
    """The T > 0 that minimises the negative log likelihood of softmax(logits / T), which has a single minimum.

    logits [N, C] float32       index [N] int64 class indices, all >= 0
    """
    assert logits.ndim == 2 and index.shape == logits.shape[:1] and len(index) > 0, (logits.shape, index.shape)

    def nll(log_t: float) -> float:
        return float(cross_entropy(logits * math.exp(-log_t), index))

    best = minimize_scalar(nll, bounds=[math.log(t) for t in _RANGE], method="bounded", options={"xatol": 1e-4})
    return math.exp(best.x)


def calibration_error(logits: Tensor, index: Tensor) -> float:
    """Expected calibration error of softmax(logits [N, C]) against index [N]."""
    calibration = Calibration()
    calibration.add(torch.softmax(logits, dim=1).T.numpy(), index.numpy())
    scores = calibration.scores()
    return scores.ece if scores else 0.0


def sampled_pixels(logits: Tensor, index: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """At most `count` labelled pixels of one image: logits [C, h, w], index [h, w] -> [n, C], [n]."""
    labelled = (index.reshape(-1) >= 0).nonzero()[:, 0]
    chosen = labelled[torch.randperm(len(labelled), generator=torch.Generator().manual_seed(seed))[:count]]
    return logits.flatten(1)[:, chosen].T, index.reshape(-1)[chosen]
