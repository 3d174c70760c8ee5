"""Normalised patches of images: their products are zero-mean normalised cross-correlations, independent of exposure.

A patch of grey values minus their mean, divided by their norm (Collins 1996; Gallup 2007), is kept as its lowest cosine
coefficients without the constant one, which halves the work.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, pad

_LUMA = (0.299, 0.587, 0.114)


def normalised_patches(images: Tensor, patch: int, order: int, noise: float) -> Tensor:
    """Patches [V, P, H/2, W/2] of `patch`^2 pixels at half the size of images [V, 3, H, W] RGB 0..1.

    order  cosine coefficients (u, v) are kept while u + v <= order and both <= order - 1
    noise  contrast (standard deviation of grey values) below which a patch counts as flat and matches nothing
    """
    grey = (images * images.new_tensor(_LUMA)[:, None, None]).sum(dim=1, keepdim=True)
    size = max(1, grey.shape[2] // 2), max(1, grey.shape[3] // 2)
    grey = adaptive_avg_pool2d(grey, size)  # also covers an odd side completely, as sample_maps expects
    kernels = cosine_kernels(patch, order).to(images)
    coefficients = conv2d(pad(grey, (patch // 2,) * 4, mode="replicate"), kernels[:, None])
    return coefficients / (coefficients.square().sum(dim=1, keepdim=True) + (patch * noise) ** 2).sqrt()


def cosine_kernels(size: int, order: int) -> Tensor:
    """Orthonormal cosine patterns [P, size, size] (the DCT-II's) of the lowest frequencies but the constant one."""
    place = torch.arange(size) + 0.5
    waves = torch.stack([torch.cos(math.pi * k * place / size) for k in range(min(order, size))])
    waves = waves / waves.norm(dim=1, keepdim=True)
    kept = [(u, v) for u in range(len(waves)) for v in range(len(waves)) if 0 < u + v <= order]
    return torch.stack([waves[u][:, None] * waves[v] for u, v in kept])
