"""Losses of fields: of signed distances at points, and of the depth, weights and colours of rendered rays."""

from __future__ import annotations

import torch
from torch import Tensor

from sem_field_ros.fields.common.tensors import RenderedRays

_BALANCE = 3.0  # weight of points near the surface, relative to those in free space


def sdf_loss(predicted: Tensor, target_m: Tensor, truncation_m: float) -> Tensor:
    """Mean absolute error of signed distances [P] as a share of the truncation, points near the surface weigh more.

    Points with a target of NaN, which no view observes, do not count.
    """
    known = ~torch.isnan(target_m)
    if not known.any():
        return predicted.sum() * 0
    target = target_m[known] / truncation_m
    weight = 1 + (_BALANCE - 1) * (target.abs() < 0.9)
    return ((predicted[known] / truncation_m - target).abs() * weight).sum() / weight.sum()


def depth_loss(rendered: RenderedRays, distance: Tensor) -> Tensor:
    """Mean absolute error of the distance [R] along the rays, metres, plus the mean transparency; 0 = no depth."""
    known = distance > 0
    if not known.any():
        return rendered.depth.sum() * 0
    missing = (1 - rendered.opacity)[known].mean()
    return (rendered.depth - distance)[known].abs().mean() + missing


def weights_loss(rendered: RenderedRays, distance: Tensor) -> Tensor:
    """-log of the share of the weight within two samples of the distance [R] along the rays, metres; 0 = no depth.

    The mean of that of the ray density and that of the volume.
    """
    assert rendered.volume_weights is not None
    known = (distance > rendered.sample_depth[:, 0]) & (distance < rendered.sample_depth[:, -1])
    if not known.any():
        return rendered.depth.sum() * 0
    ratio = (rendered.sample_depth[known] / distance[known, None]).log().abs()
    reach = 2 * (rendered.sample_depth[:, -1] / rendered.sample_depth[:, 0]).log().mean() / rendered.weights.shape[1]
    near = ratio < reach
    parts = [(weights[known] * near).sum(dim=1) for weights in (rendered.weights, rendered.volume_weights)]
    return sum((-(part + 0.01).log().mean() for part in parts), torch.zeros(()).to(distance)) / 2


def color_loss(rendered: RenderedRays, rgb: Tensor) -> Tensor:
    """Mean absolute error of colours [R, 3]; of a density, plus five times the squared error.

    The target view shows things that the window does not. Only rays that meet a surface count for a signed distance; a
    density is rendered in front of a background.
    """
    error = rendered.rgb - rgb
    if rendered.sdf is None:
        return error.abs().mean() + 5 * error.square().mean()
    met = rendered.opacity.detach() > 0.1
    return error[met].abs().mean() if met.any() else rendered.rgb.sum() * 0
