"""Colours of pixels that no source shows: those around them, from ever smaller versions of the image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate


def inpaint(rgb: Tensor, shown: Tensor) -> Tensor:
    """rgb [h, w, 3] with the pixels that are not `shown` [h, w] filled; unchanged where it is, black without any."""
    weight = shown.to(rgb)[None, None]
    value = rgb.permute(2, 0, 1)[None] * weight
    pyramid = [(value, weight)]
    while max(weight.shape[-2:]) > 1:
        value, weight = (avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in pyramid[-1])
        pyramid.append((value, weight))
    value, weight = pyramid[-1]
    filled = value / weight.clamp(min=1e-6)
    for value, weight in reversed(pyramid[:-1]):
        coarse = interpolate(filled, value.shape[-2:], mode="bilinear", align_corners=False)
        share = (4 * weight).clamp(max=1)
        filled = share * value / weight.clamp(min=1e-6) + (1 - share) * coarse
    return torch.where(shown[..., None], rgb, filled[0].permute(1, 2, 0))
