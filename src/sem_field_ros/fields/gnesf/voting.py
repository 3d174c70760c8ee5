"""Soft voting (GNeSF, Eq. 3 and 4): every view of a point gets a weight from its features; the answer is their mean.

All inputs carry a mask of the views that see the point: a masked view has no influence, and a point that no view
sees has no class (all zeros).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class VotingConfig:
    """Sizes of the two MLPs. `cues` are per view (displacement, residual, ...), `context` per point (M(x)).

    activation  elu, or relu, which costs a sixth of it on a CPU
    """

    features: int = 32
    cues: int = 3
    context: int = 0
    base: tuple[int, int] = (64, 32)
    head: tuple[int, int] = (16, 8)
    activation: str = "elu"


ACTIVATIONS: dict[str, type[nn.Module]] = {"elu": nn.ELU, "relu": nn.ReLU}


class SoftVoting(nn.Module):
    """F'_i from [F_i, mean, variance], then v_i = f_v(F'_i, M(x), cues_i)."""

    def __init__(self, config: VotingConfig) -> None:
        super().__init__()
        self.config = config
        a, b = config.base
        c, d = config.head
        bend = ACTIVATIONS[config.activation]
        self.base = nn.Sequential(nn.Linear(3 * config.features, a), bend(), nn.Linear(a, b), bend())
        self.head = nn.Sequential(
            nn.Linear(b + config.cues + config.context, c), bend(), nn.Linear(c, d), bend(), nn.Linear(d, 1)
        )

    def scores(self, features: Tensor, cues: Tensor, seen: Tensor, context: Tensor | None = None) -> Tensor:
        """Voting weights before the softmax, v_i(x) of Eq. 3.

        features [N, V, D], cues [N, V, q], seen [N, V] bool, context [N, m] -> [N, V]
        """
        mean, variance = masked_moments(features, seen)
        spread = torch.cat([mean, variance], dim=-1)[:, None].expand(-1, features.shape[1], -1)
        parts = [self.base(torch.cat([features, spread], dim=-1)), cues]
        if context is not None:
            parts.append(context[:, None].expand(-1, features.shape[1], -1))
        return self.head(torch.cat(parts, dim=-1))[..., 0]

    def forward(
        self, features: Tensor, classes: Tensor, cues: Tensor, seen: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """classes [N, V, C] (S_i) and the inputs of `scores` -> s(x) [N, C] (Eq. 4) and the weights [N, V]."""
        weights = masked_softmax(self.scores(features, cues, seen, context), seen)
        return torch.einsum("nv,nvc->nc", weights, classes), weights


def masked_moments(features: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (population) variance [N, D] of features [N, V, D] over the views seen [N, V]; zeros without any."""
    mask = seen[..., None].to(features.dtype)
    count = mask.sum(dim=1).clamp(min=1)
    mean = (features * mask).sum(dim=1) / count
    variance = ((features - mean[:, None]).square() * mask).sum(dim=1) / count
    return mean, variance


def masked_softmax(scores: Tensor, seen: Tensor) -> Tensor:
    """Softmax over the last dimension among the seen; rows without any are zero."""
    lowest = torch.finfo(scores.dtype).min
    weights = torch.softmax(scores.masked_fill(~seen, lowest), dim=-1)
    return weights * seen
