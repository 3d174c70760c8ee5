"""How the views of a voxel become one class distribution: the `Fusion` interface and its hand-made forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sem_field_ros.fusion.agreement import member_weights
from sem_field_ros.segmentation.segmenter import ClassProbabilities

CUES = 5  # per view: displacement from the camera (3, metres), depth residual (metres), cosine to the normal
_FLOOR = 1.0 / 510.0  # probabilities are kept in 8 bits: half a step is the smallest probability


@dataclass(frozen=True)
class Votes:
    """Votes of up to K views for N voxels.

    probabilities  [N, K, C] float32  class probabilities of the views, zeros where a slot is empty
    scores         [N, K] float32     quality of the view (see view_scores), 0 = empty slot
    keyframe_id    [N, K] int32       number of the keyframe, higher = newer
    features       [N, K, D] float32  image features in -1..1, if the fusion uses them
    cues           [N, K, CUES] float32  how the view sees the voxel, if the fusion uses features
    agreement      [M] float32        self_agreement of M combined segmenters; slot k holds a vote of number k % M
    """

    probabilities: Tensor
    scores: Tensor
    keyframe_id: Tensor
    features: Tensor | None = None
    cues: Tensor | None = None
    agreement: Tensor | None = None


class Fusion(Protocol):
    """One way to fuse.

    prefers_new  the K views that are kept are the newest instead of the best
    feature_dim  number of image features per view, 0 = none
    identity     names the voter of these features; saved with a map, because another voter cannot read them
    reads_agreement  Votes.agreement is used: all voxels are fused again once it has changed
    """

    prefers_new: bool
    feature_dim: int
    identity: str
    reads_agreement: bool

    def fuse(self, votes: Votes) -> Tensor:
        """Class probabilities [N, C] float32 that sum to 1, or to 0 without a view."""
        ...

    def project_features(self, probabilities: ClassProbabilities) -> Tensor | None:
        """A keyframe's image features -> those sampled and stored, [feature_dim, h, w] in -1..1, or None."""
        ...


class _ByProbabilitiesAlone:
    """Common part of the hand-made fusions: the K best views, no image features."""

    prefers_new = False
    feature_dim = 0
    identity = ""
    reads_agreement = False

    def project_features(self, probabilities: ClassProbabilities) -> Tensor | None:
        return None


class LastWins(_ByProbabilitiesAlone):
    """The newest view decides; of combined segmenters the mean of its views of the newest keyframe."""

    prefers_new = True

    def fuse(self, votes: Votes) -> Tensor:
        keyframe_id = torch.where(votes.scores > 0, votes.keyframe_id, -1)
        is_newest = keyframe_id == keyframe_id.amax(dim=1, keepdim=True)
        return _normalise((votes.probabilities * is_newest[..., None]).sum(dim=1))


class Majority(_ByProbabilitiesAlone):
    """Every view has one vote for its most probable class; summed probabilities break ties."""

    def fuse(self, votes: Votes) -> Tensor:
        counts = torch.zeros_like(votes.probabilities[:, 0])
        counts.scatter_add_(1, votes.probabilities.argmax(dim=2), (votes.scores > 0).float())
        return _normalise(counts + 1e-3 * votes.probabilities.mean(dim=1))


class Bayesian(_ByProbabilitiesAlone):
    """Views are independent measurements: the product of their probabilities (SemanticFusion, Kimera-Semantics)."""

    def fuse(self, votes: Votes) -> Tensor:
        seen = votes.scores > 0
        log = votes.probabilities.clamp(min=_FLOOR).log_().mul_(seen[..., None]).sum(dim=1)
        return torch.softmax(log, dim=1) * seen.any(dim=1, keepdim=True)


class ConfidenceWeighted(_ByProbabilitiesAlone):
    """Mean of the views' probabilities, weighted by view quality times the view's own top probability."""

    def fuse(self, votes: Votes) -> Tensor:
        weight = votes.scores * votes.probabilities.amax(dim=2)
        return _normalise(torch.einsum("nkc,nk->nc", votes.probabilities, weight))


class Consistency(ConfidenceWeighted):
    """ConfidenceWeighted; each of several segmenters is weighted by how well its views agree (member_weights)."""

    reads_agreement = True

    def fuse(self, votes: Votes) -> Tensor:
        weight = votes.scores * votes.probabilities.amax(dim=2)
        if votes.agreement is not None:
            member = torch.arange(votes.scores.shape[1], device=weight.device) % len(votes.agreement)
            weight *= member_weights(votes.agreement)[member]
        return _normalise(torch.einsum("nkc,nk->nc", votes.probabilities, weight))


HAND_MADE: dict[str, type[Fusion]] = {
    "bayesian": Bayesian,
    "majority": Majority,
    "last_wins": LastWins,
    "confidence": ConfidenceWeighted,
    "consistency": Consistency,
}


def view_scores(distance: Tensor, cosine: Tensor) -> Tensor:
    """Quality of a view of a point, [n] > 0: high for near and frontal ones.

    distance [n] metres from camera to point; cosine [n] between the surface normal and the direction to the camera.
    """
    return cosine.clamp(min=0.05) / distance.clamp(min=0.25)


def view_rank(scores: Tensor, keyframe_id: Tensor, prefers_new: bool) -> Tensor:
    """What orders the views of a voxel, [..., K] >= 0, 0 = empty slot: their quality, or how new they are."""
    return torch.where(scores > 0, keyframe_id.float() + 1, 0) if prefers_new else scores


def best_slots(rank: Tensor, views: int) -> Tensor:
    """The slots [n, views] of the `views` highest ranks [n, K] of each voxel, the highest first; -1 = empty."""
    best, slot = rank.topk(min(views, rank.shape[1]), dim=1)
    return torch.where(best > 0, slot, -1)


def _normalise(values: Tensor) -> Tensor:
    return values / values.sum(dim=1, keepdim=True).clamp(min=1e-9)
