"""Volume rendering of a GNeSF field: weights along a ray from density (Eq. 7) or signed distance (Eq. 8 and 9)."""

from __future__ import annotations

import torch
from torch import Tensor


def density_weights(density: Tensor, spacing: Tensor | float = 1.0) -> Tensor:
    """Weights [R, M] of samples in ascending depth (Eq. 7): w = T (1 - exp(-sigma)).

    density [R, M] >= 0; `spacing` [R, M] the samples' distance (the paper folds it into sigma: 1).
    """
    optical = density * spacing
    before = torch.cumsum(optical, dim=1) - optical
    return torch.exp(-before) * (1 - torch.exp(-optical))


def sdf_weights(sdf: Tensor, depth: Tensor, truncation_m: float) -> Tensor:
    """Weights [R, M] of samples in ascending depth, summing to 1 per ray (Eq. 8 and 9), or 0 if it meets nothing.

    w = sigmoid(s / tr) sigmoid(-s / tr), zero beyond the first truncation region: later than `truncation_m` after the
    first change from positive to negative. Without a change of sign, the weight lies where |s| is small.

    sdf [R, M] and depth [R, M] in metres, like the truncation
    """
    scaled = sdf / truncation_m
    weights = torch.sigmoid(scaled) * torch.sigmoid(-scaled)
    crossing = (sdf[:, :-1] > 0) & (sdf[:, 1:] <= 0)
    first = torch.where(crossing, depth[:, 1:], torch.inf).amin(dim=1, keepdim=True)
    weights = weights * (depth <= first + truncation_m)
    total = weights.sum(dim=1, keepdim=True)
    return weights / total.clamp(min=1e-9)


def render(weights: Tensor, values: Tensor) -> Tensor:
    """Weighted sum (Eq. 5): weights [R, M], values [R, M, C] -> [R, C]."""
    return torch.einsum("rm,rmc->rc", weights, values)


def probability_cross_entropy(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy (Eq. 6) of probabilities [R, C] to class indices [R]; index -1 does not count.

    Rows are normalised to a sum of 1 first, so that rays that partly miss the scene are not penalised.
    """
    counted = target >= 0
    if not counted.any():
        return predicted.sum() * 0
    rows = predicted[counted]
    chosen = rows.gather(1, target[counted, None])[:, 0]
    return -(chosen.clamp(min=1e-6) / rows.sum(dim=1).clamp(min=1e-6)).log().mean()


def sample_along_rays(
    near: Tensor, far: Tensor, count: int, generator: torch.Generator | None = None, *, log: bool = False
) -> Tensor:
    """Depths [R, count], one in each of `count` equal parts of [near, far] [R]: its middle, or at random.

    With `log` the parts are equal in the logarithm of depth.
    """
    if log:
        return sample_along_rays(near.log(), far.log(), count, generator).exp()
    part = torch.arange(count, device=near.device, dtype=near.dtype)
    if generator is None:
        offset = torch.full((len(near), count), 0.5, device=near.device, dtype=near.dtype)
    else:
        offset = torch.rand(len(near), count, generator=generator, device=near.device, dtype=near.dtype)
    return near[:, None] + (part + offset) / count * (far - near)[:, None]
