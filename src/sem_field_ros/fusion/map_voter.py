"""The learned vote of the live map: GNeSF's soft voting over the views that the map stores (RGB-D mode).

A map with depth has no encoding volume M(x): its TSDF is the geometry. The inputs are displacement, depth residual,
viewing angle and the certainty of the view instead.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.gnesf.voting import (
    ACTIVATIONS,
    SoftVoting,
    VotingConfig,
    masked_moments,
    masked_softmax,
)

MAP_CUES = 5  # displacement (3, metres), depth residual (metres), cosine to the normal: mapping.fusion.CUES
OWN_CUES = 3  # top probability, entropy, agreement with the mean of the views
POOLINGS = ("linear", "log", "logits", "direct")
RESIDUAL_SCALE_M = 0.05
DISTANCE_SCALE_M = 2.0
FLOOR = 1.0 / 510.0  # of a probability: probabilities are kept in 8 bits
ONE = math.log(math.e - 1)  # softplus of this is 1


@dataclass(frozen=True)
class MapVoterConfig:
    """`encoder` channels of the segmenter's feature map are reduced to `features` before they are sampled and kept.

    pooling  linear  the weighted mean of the views' probabilities (Eq. 4)
             log     their weighted product, which is the Bayesian fusion if every weight is 1, as in an untrained
                     voter
             logits  the weighted mean of their logits (ablation, Table 4)
             direct  no vote: classes from the mean and variance of the features and probabilities (ablation, Table 4)
    classes  number of classes; only `direct` depends on it
    base, head, activation  of SoftVoting
    """

    encoder: int = 96
    features: int = 16
    base: tuple[int, int] = (48, 24)
    head: tuple[int, int] = (16, 8)
    pooling: str = "linear"
    classes: int = 0
    activation: str = "relu"

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise WeightsError(f"pooling '{self.pooling}' is unknown: choose one of {', '.join(POOLINGS)}")
        if self.activation not in ACTIVATIONS:
            raise WeightsError(f"activation '{self.activation}' is unknown: choose one of {', '.join(ACTIVATIONS)}")
        if (self.pooling == "direct") != (self.classes > 0):
            raise WeightsError(
                f"pooling '{self.pooling}' with {self.classes} classes: direct needs them, no other does"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return dataclasses.asdict(self)


def config_from_dict(content: Mapping[str, Any]) -> MapVoterConfig:
    """Read MapVoterConfig.as_dict. Raises WeightsError in one line."""
    try:
        base, head = (tuple(int(v) for v in content[name]) for name in ("base", "head"))
        sizes = int(content["encoder"]), int(content["features"]), (base[0], base[1]), (head[0], head[1])
        more = int(content.get("classes", 0)), str(content.get("activation", "elu"))  # not stored by the first version
        return MapVoterConfig(*sizes, str(content["pooling"]), *more)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise WeightsError(f"not the architecture of a map voter: {error!r}") from error


class MapVoter(nn.Module):
    """Projects image features (`project_features`, once per keyframe) and votes on voxels (`forward`)."""

    def __init__(self, config: MapVoterConfig) -> None:
        super().__init__()
        self.config = config
        self.projection = nn.Conv2d(config.encoder, config.features, 1)
        cues = MAP_CUES + 1 + OWN_CUES
        sizes = VotingConfig(config.features, cues, 0, config.base, config.head, config.activation)
        self.voting = SoftVoting(sizes)
        if config.pooling == "direct":
            width = 2 * (config.features + config.classes)
            self.direct = nn.Sequential(nn.Linear(width, 64), nn.ELU(), nn.Linear(64, config.classes))
        if config.pooling == "log":
            last = self.voting.head[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def project_features(self, features: Tensor) -> Tensor:
        """Feature maps [B, encoder, h, w] -> [B, features, h, w] in -1..1, to be sampled and kept in 8 bits."""
        weight, bias = self.projection.weight[:, :, 0, 0], self.projection.bias
        assert bias is not None
        reduced = torch.matmul(weight, features.flatten(2)) + bias[:, None]  # takes a fifth of the convolution's time
        return torch.tanh(reduced).unflatten(2, features.shape[2:])

    def reduce_samples(self, features: Tensor) -> Tensor:
        """`project_features` of sampled features [..., encoder] (training): [..., features]; NaN becomes 0."""
        weight = self.projection.weight[:, :, 0, 0]
        reduced = torch.tanh(linear(features.nan_to_num(), weight, self.projection.bias))
        return reduced * ~features.isnan().any(dim=-1, keepdim=True)

    def forward(
        self, probabilities: Tensor, features: Tensor, cues: Tensor, seen: Tensor, raw: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Votes of K views on N voxels (hand_made.Votes) -> class probabilities [N, C] and weights [N, K].

        probabilities [N, K, C], features [N, K, features] (`raw`: [N, K, encoder], not yet projected),
        cues [N, K, MAP_CUES], seen [N, K] bool
        """
        if raw:
            features = self.reduce_samples(features)
        every = torch.cat([scaled_cues(cues), own_cues(probabilities, seen)], dim=-1)
        if self.config.pooling == "linear":
            return self.voting(features, probabilities, every, seen)
        if self.config.pooling == "direct":
            return self._directly(probabilities, features, seen)
        if self.config.pooling == "logits":
            weights = masked_softmax(self.voting.scores(features, every, seen), seen)
            mean = torch.einsum("nk,nkc->nc", weights, probabilities.clamp(min=FLOOR).log())
            return torch.softmax(mean, dim=-1) * seen.any(dim=1, keepdim=True), weights
        powers = softplus(self.voting.scores(features, every, seen) + ONE) * seen
        log = torch.einsum("nk,nkc->nc", powers, probabilities.clamp(min=FLOOR).log())
        fused = torch.softmax(log, dim=-1) * seen.any(dim=1, keepdim=True)
        return fused, powers / powers.sum(dim=1, keepdim=True).clamp(min=1e-6)

    def _directly(self, probabilities: Tensor, features: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        statistics = [*masked_moments(features, seen), *masked_moments(probabilities, seen)]
        classes = torch.softmax(self.direct(torch.cat(statistics, dim=-1)), dim=-1) * seen.any(dim=1, keepdim=True)
        return classes, seen / seen.sum(dim=1, keepdim=True).clamp(min=1)


def scaled_cues(cues: Tensor) -> Tensor:
    """Map cues [..., MAP_CUES] to values of about one, the distance beside the displacement: [..., MAP_CUES + 1]."""
    displacement, residual, cosine = cues[..., :3], cues[..., 3:4], cues[..., 4:5]
    distance = displacement.norm(dim=-1, keepdim=True)
    parts = [displacement / DISTANCE_SCALE_M, distance / DISTANCE_SCALE_M, residual / RESIDUAL_SCALE_M, cosine]
    return torch.cat(parts, dim=-1)


def own_cues(probabilities: Tensor, seen: Tensor) -> Tensor:
    """Certainty of probabilities [N, K, OWN_CUES]: top, entropy (0..1), agreement with the mean."""
    logs = probabilities.clamp(min=1e-6).log()
    top = probabilities.amax(dim=-1)
    entropy = -(probabilities * logs).sum(dim=-1) / math.log(max(2, probabilities.shape[-1]))
    mean = probabilities.sum(dim=1) / seen.sum(dim=1, keepdim=True).clamp(min=1)
    agreement = torch.matmul(probabilities, mean[..., None])[..., 0]
    return torch.stack([top, entropy, agreement], dim=-1) * seen[..., None]
