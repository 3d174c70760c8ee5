"""Tensors of the fields: the input of encoding, and the results for rays, cameras and points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sem_field_ros.fields.common.rays import Rays
from sem_field_ros.fields.common.rendering import render
from sem_field_ros.fields.common.views import SourceViews


@dataclass(frozen=True)
class SourceImages:
    """Input of encoding: V posed images and their class probabilities from a 2-D segmenter.

    images [V, 3, H, W] RGB 0..1     classes [V, C, h, w] probabilities
    K [V, 3, 3] of the images        T_camera_world [V, 4, 4]
    depth [V, H', W'] metres of the same image area, 0 = invalid, or None; only image-based rendering uses it
    """

    images: Tensor
    classes: Tensor
    K: Tensor
    T_camera_world: Tensor
    depth: Tensor | None = None


@dataclass(frozen=True)
class RenderedRays:
    """R rays: classes [R, C] (Eq. 5), rgb [R, 3], depth [R] metres along the ray, opacity [R] = sum of the weights.

    For the losses: sample_depth and weights [R, M]; sdf [R, M] of a distance field; volume_weights [R, M] of the
    volume alone, for image-based rendering.
    """

    classes: Tensor
    rgb: Tensor
    depth: Tensor
    opacity: Tensor
    sample_depth: Tensor
    weights: Tensor
    sdf: Tensor | None = None
    volume_weights: Tensor | None = None


def rendered(
    weights: Tensor, depth: Tensor, classes: Tensor, colors: Tensor, images: Tensor, **more: Tensor | None
) -> RenderedRays:
    """Eq. 5 over samples [R * M, ...], with the images' mean colour as background."""
    shape = (*depth.shape, -1)
    opacity = weights.sum(dim=1)
    return RenderedRays(
        classes=render(weights, classes.reshape(shape)),
        rgb=render(weights, colors.reshape(shape)) + (1 - opacity[:, None]) * images.mean(dim=(0, 2, 3)),
        depth=(weights * depth).sum(dim=1) / opacity.clamp(min=1e-6),
        opacity=opacity,
        sample_depth=depth,
        weights=weights,
        **more,
    )


def common_center(views: SourceViews, reach_m: float) -> Tensor:
    """A point [3] in front of the cameras, the mean of their points at `reach_m` metres."""
    forward = views.T_camera_world[:, 2, :3]
    return (views.origins + reach_m * forward).mean(dim=0)


@dataclass(frozen=True)
class FieldSamples:
    """A field at N points: classes [N, C] (rows sum to 1, or 0 if unknown), confidence [N] in [0, 1].

    sdf [N] metres, NaN where unobserved, or density [N] 1/m, whichever the field has.
    """

    classes: Tensor
    confidence: Tensor
    sdf: Tensor | None = None
    density: Tensor | None = None


@dataclass(frozen=True)
class FieldView:
    """A field in a camera: rgb [h, w, 3] 0..1, depth [h, w] metres along z (0 = nothing), classes [h, w, C].

    A pixel's classes sum to its opacity. confidence [h, w] = top class probability times opacity.
    """

    rgb: Tensor
    depth: Tensor
    classes: Tensor
    confidence: Tensor


def view_of_rays(parts: Sequence[RenderedRays], rays: Rays, size: tuple[int, int]) -> FieldView:
    """The image of `size` (height, width) whose pixels' rays were rendered in `parts`, row by row."""
    opacity = torch.cat([p.opacity for p in parts])
    classes = torch.cat([p.classes for p in parts])
    depth = torch.cat([p.depth for p in parts]) / rays.scale
    return FieldView(
        rgb=torch.cat([p.rgb for p in parts]).clamp(0, 1).reshape(*size, 3),
        depth=torch.where(opacity > 0.5, depth, 0).reshape(size),
        classes=classes.reshape(*size, -1),
        confidence=(classes.amax(dim=1) * opacity).clamp(0, 1).reshape(size),
    )
