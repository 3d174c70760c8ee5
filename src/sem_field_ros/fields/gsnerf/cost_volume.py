"""Group-wise correlation cost volumes of a source view and its neighbours, and their depth hypotheses.

As in cascaded multi-view stereo: features of the neighbours are warped to the reference at every hypothesis, channels
are split into groups, the products of each group are averaged, and neighbours are averaged where they see the point.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sem_field_ros.fields.gsnerf.warping import Neighbours, warp


def first_hypotheses(planes: int, near_m: float, far_m: float, like: Tensor) -> Tensor:
    """Depths [planes], equal ratios from near to far, metres."""
    return torch.exp(torch.linspace(math.log(near_m), math.log(far_m), planes)).to(like)


def narrow_hypotheses(depth: Tensor, planes: int, reach: float, near_m: float, far_m: float) -> Tensor:
    """Depths [planes, h, w] around depth [h, w]: equal ratios from (1 - reach) to 1 / (1 - reach) of it."""
    span = -math.log(1 - reach)
    steps = torch.linspace(-span, span, planes).to(depth)
    return (depth.clamp(near_m, far_m)[None] * torch.exp(steps)[:, None, None]).clamp(0.5 * near_m, 2 * far_m)


def correlation_volume(
    learned: Tensor, fixed: Tensor, depth: Tensor, views: Neighbours, groups: int
) -> tuple[Tensor, Tensor]:
    """Mean correlation of a reference with its N neighbours at hypotheses depth [D, h, w].

    learned  [1 + N, C, h, w] features, the reference first, C a multiple of `groups`
    fixed    [1 + N, P, h, w] normalised patches: their product is a correlation coefficient
    -> volume [1 + groups, D, h, w], the fixed correlation first, 0 where no neighbour sees the point;
       count [D, h, w] of the neighbours that do
    """
    total, count = None, depth.new_zeros(depth.shape)
    channels = learned.shape[1] // max(groups, 1)
    own = torch.cat([fixed[0], learned[0]])[:, None]
    for n in range(len(views)):
        other, inside = warp(torch.cat([fixed[1 + n], learned[1 + n]]), depth, views, n)
        product = own * other
        patch = product[: fixed.shape[1]].sum(dim=0, keepdim=True)
        grouped = product[fixed.shape[1] :].reshape(groups, channels, *depth.shape).mean(dim=1) if groups else patch[:0]
        part = torch.cat([patch, grouped]) * inside
        total = part if total is None else total + part
        count = count + inside
    if total is None:
        return depth.new_zeros(1 + groups, *depth.shape), count
    return total / count.clamp(min=1), count
