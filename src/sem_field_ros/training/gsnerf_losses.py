"""Losses of a GSNeRF: rendered colours and classes, and source depth with depth images (Eq. 6) or without (Eq. 18)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, smooth_l1_loss

from sem_field_ros.fields.gsnerf.source_depth import LevelDepth, SourceDepth
from sem_field_ros.fields.gsnerf.warping import Neighbours, warp

_RECONSTRUCTION, _SSIM, _SMOOTHNESS = 12.0, 6.0, 0.18  # weights of Eq. 18
_PLANES = 0.1  # weight of the cross entropy over the hypotheses
_NEAR = 0.05  # log depth: the scale of the smooth L1 loss


def rendered_color_loss(rgb: Tensor, truth: Tensor) -> Tensor:
    """Squared error plus a fifth of the absolute error of colours [R, 3] (Eq. 5), after the best gain.

    The exposure of the target image is unknown to the field, so it is fitted.
    """
    with torch.no_grad():
        usable = (truth > 0.05) & (truth < 0.8) & (rgb > 0.05)
        ratio = (truth.clamp(min=1e-3) / rgb.clamp(min=1e-3)).log()
        gain = ratio[usable].median().clamp(-0.5, 0.5).exp() if usable.any() else torch.ones(()).to(rgb)
    error = rgb * gain - truth
    return error.square().mean() + 0.2 * error.abs().mean()


def supervised_depth_loss(found: SourceDepth, truth: Tensor, near_m: float, far_m: float) -> Tensor:
    """Smooth L1 of the depth of all levels (Eq. 6), as log depth, where depth [H, W] metres is known; and cross entropy
    of the hypotheses, which keeps the soft-argmin from averaging two surfaces."""
    parts = []
    for level in found.levels:
        target = _at(truth, level.depth.shape)
        known = (target > near_m) & (target < far_m)
        if not known.any():
            parts.append(level.depth.sum() * 0)
            continue
        log = target.clamp(min=near_m).log()
        parts.append(smooth_l1_loss(level.depth.log()[known] / _NEAR, log[known] / _NEAR) * _NEAR)
        parts.append(_PLANES * plane_loss(level, log, known))
    return torch.stack(parts).sum()


def plane_loss(level: LevelDepth, log_depth: Tensor, known: Tensor) -> Tensor:
    """Cross entropy of the hypotheses [D, h, w] where the depth lies between the first and the last one."""
    planes = level.hypotheses.log()
    step = planes[1] - planes[0]
    place = (log_depth - planes[0]) / step
    inside = known & (place > -0.5) & (place < len(planes) - 0.5)
    if not inside.any():
        return level.scores.sum() * 0
    nearest = place.round().long().clamp(0, len(planes) - 1)
    return cross_entropy(level.scores[:, inside].T, nearest[inside])


def self_supervised_depth_loss(found: SourceDepth, images: Tensor, views: Neighbours) -> Tensor:
    """Eq. 18: a source image [1 + N, 3, H, W] (the first) reconstructed from its neighbours at the predicted depth.

    Of each pixel the half of the neighbours that fit best count: the others may be occluded.
    """
    parts = []
    for level in found.levels:
        small = _images(images, level.depth.shape)
        own, errors = small[0], []
        for n in range(len(views)):
            other, inside = warp(small[1 + n], level.depth[None], views, n)
            difference = (other[:, 0] - own).square().mean(dim=0)
            structure = 1 - _ssim(other[:, 0], own)
            error = _RECONSTRUCTION * difference + _SSIM * structure
            errors.append(torch.where(inside[0], error, torch.inf))
        if errors:
            best = torch.stack(errors).sort(dim=0).values[: max(1, len(errors) // 2)]
            seen = best.isfinite()
            parts.append(torch.where(seen, best, 0.0).sum() / seen.sum().clamp(min=1))
        parts.append(_SMOOTHNESS * smoothness(level.depth, own))
    return torch.stack(parts).sum()


def smoothness(depth: Tensor, image: Tensor) -> Tensor:
    """Mean gradient of the inverse depth [h, w], less where the image [3, h, w] has edges."""
    inverse = 1 / depth.clamp(min=1e-3)
    inverse = inverse / inverse.mean().clamp(min=1e-6)
    total = depth.new_zeros(())
    for dim in (0, 1):
        edge = torch.exp(-10 * image.diff(dim=1 + dim).abs().mean(dim=0))
        total = total + (inverse.diff(dim=dim).abs() * edge).mean()
    return total


def _ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity [h, w] of images [3, h, w] in windows of 3x3."""

    def mean(x: Tensor) -> Tensor:
        return avg_pool2d(x[None], 3, 1, 1, count_include_pad=False)[0]

    ma, mb = mean(a), mean(b)
    va, vb = mean(a * a) - ma * ma, mean(b * b) - mb * mb
    covariance = mean(a * b) - ma * mb
    value = (2 * ma * mb + 1e-4) * (2 * covariance + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4))
    return value.clamp(-1, 1).mean(dim=0)


def _at(depth: Tensor, size: torch.Size) -> Tensor:
    return interpolate(depth[None, None], tuple(size), mode="nearest-exact")[0, 0]


def _images(images: Tensor, size: torch.Size) -> Tensor:
    return interpolate(images, tuple(size), mode="area")
