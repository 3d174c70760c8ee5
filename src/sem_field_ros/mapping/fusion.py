"""How the views of a voxel become one class distribution: the `Fusion` interface and its hand-made forms.

Each takes N voxels with up to K views:
    samples  [N, K, C] float32  class probabilities of the views, zeros where a slot is empty
    scores   [N, K]    float32  quality of the view (see view_scores), 0 = empty slot
    order    [N, K]    int32    number of the keyframe, higher = newer
and returns [N, C] float32 that sum to 1, or to 0 where there is no view.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from sem_field_ros.errors import SettingError

_FLOOR = 1.0 / 510.0  # samples are kept in 8 bits: half a step stands for "nearly impossible"


class Fusion(Protocol):
    """One way to fuse. `prefers_new`: the K views that are kept are the newest instead of the best."""

    prefers_new: bool

    def fuse(self, samples: Tensor, scores: Tensor, order: Tensor) -> Tensor: ...


class LastWins:
    """The newest view decides."""

    prefers_new = True

    def fuse(self, samples: Tensor, scores: Tensor, order: Tensor) -> Tensor:
        newest = torch.where(scores > 0, order, -1).argmax(dim=1)
        return _normalise(samples[torch.arange(len(samples), device=samples.device), newest])


class Majority:
    """Every view has one vote for its most probable class; summed probabilities break ties."""

    prefers_new = False

    def fuse(self, samples: Tensor, scores: Tensor, order: Tensor) -> Tensor:
        votes = torch.zeros_like(samples[:, 0])
        votes.scatter_add_(1, samples.argmax(dim=2), (scores > 0).float())
        return _normalise(votes + 1e-3 * samples.mean(dim=1))


class Bayesian:
    """Views are independent measurements: the product of their probabilities (SemanticFusion, Kimera-Semantics)."""

    prefers_new = False

    def fuse(self, samples: Tensor, scores: Tensor, order: Tensor) -> Tensor:
        seen = scores > 0
        log = samples.clamp(min=_FLOOR).log_().mul_(seen[..., None]).sum(dim=1)
        return torch.softmax(log, dim=1) * seen.any(dim=1, keepdim=True)


class ConfidenceWeighted:
    """Mean of the views' probabilities, weighted by view quality times the view's own top probability."""

    prefers_new = False

    def fuse(self, samples: Tensor, scores: Tensor, order: Tensor) -> Tensor:
        weight = scores * samples.amax(dim=2)
        return _normalise(torch.einsum("nkc,nk->nc", samples, weight))


_FUSIONS: dict[str, type[Fusion]] = {
    "bayesian": Bayesian,
    "majority": Majority,
    "last_wins": LastWins,
    "confidence": ConfidenceWeighted,
}


def make_fusion(name: str) -> Fusion:
    """Make a fusion by its name in MapConfig.fusion. Raises SettingError with the known names."""
    if name not in _FUSIONS:
        raise SettingError(f"fusion '{name}' is unknown: choose one of {', '.join(_FUSIONS)}")
    return _FUSIONS[name]()


def view_scores(distance: Tensor, cosine: Tensor) -> Tensor:
    """Quality of a view of a point, [n] > 0: high for near and frontal ones.

    distance [n] metres from camera to point; cosine [n] between the surface normal and the direction to the camera.
    """
    return cosine.clamp(min=0.05) / distance.clamp(min=0.25)


def _normalise(values: Tensor) -> Tensor:
    return values / values.sum(dim=1, keepdim=True).clamp(min=1e-9)
