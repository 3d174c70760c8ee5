"""Sums over the views of a point; views come first and channels before points, [V, C, N], which is faster."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Channels(nn.Linear):
    """A linear layer over the second to last dimension: [..., C_in, N] -> [..., C_out, N]."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if x.ndim == 2:
            return torch.addmm(self.bias[:, None], self.weight, x)
        batch = self.weight.expand(len(x), -1, -1)  # torch.matmul would copy x
        return torch.baddbmm(self.bias[:, None].expand(len(x), -1, -1), batch, x)


def softmax_over_views(scores: Tensor, seen: Tensor) -> Tensor:
    """Weights [V, N] of scores [V, N]: 0 if a view does not see a point, summing to 1 if any does."""
    return torch.softmax(scores.masked_fill(~seen, torch.finfo(scores.dtype).min), dim=0) * seen


def mean_correlation(patches: Tensor, seen: Tensor) -> Tensor:
    """Mean product [V, N] of each view's patch [V, P, N] (zeros where not `seen` [V, N]) with those of the others."""
    total = patches.sum(dim=0, keepdim=True)
    others = (seen.sum(dim=0) - 1).clamp(min=1)
    return ((total - patches) * patches).sum(dim=1) / others


def moments(values: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance [D, N] over the views of values [V, D, N] that are zero if a view sees nothing."""
    share = 1 / count.clamp(min=1)
    mean = values.sum(dim=0) * share
    return mean, (values.square().sum(dim=0) * share - mean.square()).clamp(min=0)
