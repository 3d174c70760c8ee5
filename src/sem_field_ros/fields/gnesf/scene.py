"""What goes into a GNeSF, what it makes of a window of views, and what its rays give back."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sem_field_ros.fields.common.rendering import render
from sem_field_ros.fields.common.views import SourceViews
from sem_field_ros.fields.gnesf.volume import Volume


@dataclass(frozen=True)
class SourceImages:
    """What a GNeSF is encoded from: V posed images and what a 2-D segmenter says about them.

    images [V, 3, H, W] RGB 0..1     classes [V, C, h, w] probabilities
    K [V, 3, 3] of the images        T_camera_world [V, 4, 4]
    depth [V, H', W'] metres of the same image area, 0 = invalid, or None; only view synthesis looks at it
    """

    images: Tensor
    classes: Tensor
    K: Tensor
    T_camera_world: Tensor
    depth: Tensor | None = None


@dataclass(frozen=True)
class GnesfScene:
    """An encoded window: views to vote, the volume M, and how many views each of its cells projects into.

    patches  [V, P, H/2, W/2] of the images, for view synthesis
    """

    views: SourceViews
    images: Tensor
    volume: Volume
    seen: Tensor
    patches: Tensor | None = None


@dataclass(frozen=True)
class RenderedRays:
    """R rays: classes [R, C] (Eq. 5), rgb [R, 3], depth [R] metres along the ray, opacity [R] = sum of the weights.

    For the losses: sample_depth and weights [R, M]; sdf [R, M] of a distance field; volume_weights [R, M] of a density
    field that asks the views along the ray: what the volume alone says.
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
    """Eq. 5 of what the samples [R * M, ...] say, before a background of the images' mean colour."""
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
    """A point [3] before the cameras, in the middle of what they see at `reach_m` metres."""
    forward = views.T_camera_world[:, 2, :3]
    return (views.origins + reach_m * forward).mean(dim=0)
