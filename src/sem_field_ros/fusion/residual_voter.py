"""A learned vote as a residual on the hand-made fusion `consistency`: untrained, it is that fusion.

A small network adds to the logarithm of every vote's weight and sharpens or flattens its probabilities. It reads only
what carries over between cameras, rooms and segmenters: how certain a vote is, how well it agrees with the other views
of its segmenter and with the other segmenters, the quality of the view. Segmenters and views may be permuted, and there
may be any number of each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sem_field_ros.errors import WeightsError
from sem_field_ros.fusion.agreement import log_odds, member_weights

RESIDUAL_CUES = 11  # see residual_cues
_LARGEST = 2.0  # of the change of a log weight
_SHARPEST = 1.0  # of the logarithm of the power of a vote's probabilities


@dataclass(frozen=True)
class ResidualVoterConfig:
    """`hidden`: widths of the layers. `classes`: 0, the vote is not bound to a number of classes."""

    hidden: tuple[int, int] = (24, 16)
    features: int = 0
    classes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by residual_config."""
        return dataclasses.asdict(self)


def residual_config(content: Mapping[str, Any]) -> ResidualVoterConfig:
    """Read ResidualVoterConfig.as_dict. Raises WeightsError in one line."""
    try:
        first, second = (int(v) for v in content["hidden"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a residual vote: {error!r}") from error
    return ResidualVoterConfig((first, second))


class ResidualVoter(nn.Module):
    """Weights and sharpens the votes on voxels, see the module."""

    def __init__(self, config: ResidualVoterConfig) -> None:
        super().__init__()
        self.config = config
        first, second = config.hidden
        self.layers = nn.Sequential(
            nn.Linear(RESIDUAL_CUES, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 2)
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, probabilities: Tensor, scores: Tensor, agreement: Tensor) -> tuple[Tensor, Tensor]:
        """Votes (hand_made.Votes) of M segmenters -> class probabilities [N, C] and weights [N, S].

        probabilities [N, S, C]; scores [N, S], 0 = empty; agreement [N, M] or [M], see self_agreement. S is a multiple
        of M, and the vote in slot s is by segmenter s % M. A segmenter without votes is left out.
        """
        members = agreement.shape[-1]
        shape = len(probabilities), -1, members
        p, quality = probabilities.unflatten(1, shape[1:]), scores.unflatten(1, shape[1:])
        agreement = agreement.expand(len(p), members)
        change = self.layers(residual_cues(p, quality, agreement))
        weight = quality * p.amax(dim=-1) * member_weights(agreement)[:, None]
        weight = weight * torch.exp(_LARGEST * torch.tanh(change[..., 0] / _LARGEST))
        power = torch.exp(_SHARPEST * torch.tanh(change[..., 1:] / _SHARPEST))
        raised = p.clamp(min=1e-6) ** power
        votes = raised * (p.sum(dim=-1, keepdim=True) / raised.sum(dim=-1, keepdim=True))  # of a power of 1: p itself
        weight = weight / weight.sum(dim=(1, 2), keepdim=True).clamp(min=1e-9)
        fused = (votes * weight[..., None]).sum(dim=(1, 2))
        return fused, weight.flatten(1)


def residual_cues(probabilities: Tensor, quality: Tensor, agreement: Tensor) -> Tensor:
    """Cues [N, K, M, RESIDUAL_CUES] of votes [N, K, M, C] with `quality` [N, K, M] and `agreement` [N, M].

    In order: logarithm of the quality; top probability; its margin over the second; entropy; agreement with the other
    views of the segmenter; sharpness of the segmenter's mean; agreement with the other segmenters' mean; sharpness of
    that mean; number of views; agreement of the segmenter in the scene; its lead over the best other one. 0 if empty.
    """
    seen = (quality > 0).float()
    p, classes = probabilities * seen[..., None], probabilities.shape[-1]
    second = p.topk(min(2, classes), dim=-1).values
    top, margin = second[..., 0], second[..., 0] - (second[..., 1] if classes > 1 else 0)
    entropy = -(p * p.clamp(min=1e-6).log()).sum(dim=-1) / math.log(max(2, classes))
    total, views = p.sum(dim=1), seen.sum(dim=1)  # [N, M, C], [N, M]
    own = (p * (total[:, None] - p)).sum(dim=-1) / (views[:, None] - 1).clamp(min=1)
    own = torch.where(views[:, None] > 1, own, top)
    mean = total / views.clamp(min=1)[..., None]
    there = (views > 0).float()
    others = there.sum(dim=1, keepdim=True) - there  # [N, M] other segmenters that vote
    other_mean = (mean.sum(dim=1, keepdim=True) - mean) / others.clamp(min=1)[..., None]
    alone = (others == 0)[:, None]
    sharpness, other_sharpness = mean.square().sum(dim=-1)[:, None], other_mean.square().sum(dim=-1)[:, None]
    across = torch.where(alone, own, (p * other_mean[:, None]).sum(dim=-1))
    odds, lead = _lead(agreement, there)
    columns = [
        quality.clamp(min=1e-3).log(), top, margin, entropy, own, sharpness, across,
        torch.where(alone, sharpness, other_sharpness), views.clamp(min=1).log()[:, None] / 2,
        odds[:, None] / 2, lead[:, None] / 2,
    ]  # fmt: skip
    return torch.stack([column.expand_as(seen) for column in columns], dim=-1) * seen[..., None]


def _lead(agreement: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Log odds of the agreement [N, M], and by how much they exceed those of the best other segmenter that votes."""
    odds, members = log_odds(agreement), agreement.shape[1]
    other = torch.where(there > 0, odds, -torch.inf)[:, None].expand(-1, members, -1)
    other = other.masked_fill(torch.eye(members, dtype=torch.bool, device=odds.device), -torch.inf).amax(dim=2)
    return odds, torch.where(other.isfinite(), odds - other, 0)
