"""Keyframes prepared for plane sweep, and the matching of one with the others of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sem_field_ros.depth.sweep import SweepConfig, match_scores, patches
from sem_field_ros.fields.common.window import image_of_width
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import inverse

_SCALE = 4  # pixels of the image per matched pixel
_EDGE = 0.05  # relative step in depth that counts as an edge, which is not interpolated


@dataclass(frozen=True)
class StereoView:
    """Image [3, h, w] 0..1 of a keyframe, its normalised patches [P, h/2, w/2] and their intrinsics [3, 3]."""

    image: Tensor
    patches: Tensor
    K: Tensor


def stereo_view(frame: PosedFrame, width: int, sweep: SweepConfig, device: torch.device) -> StereoView:
    """Reduce the image of a frame to `width` (sides become multiples of 4) and compute its patches."""
    image = torch.from_numpy(image_of_width(frame.color, width)).to(device)
    height, width = image.shape[:2]
    K = frame.camera.scaled(width // 2, height // 2).matrix.astype(np.float32)
    image = image[: height // 4 * 4, : width // 4 * 4].permute(2, 0, 1).float() / 255
    return StereoView(image, patches(image[None], sweep)[0], torch.from_numpy(K).to(device))


def match_views(
    reference: int, frames: Sequence[PosedFrame], views: Sequence[StereoView], depths: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores [V, D, h/4, w/4] of the other views with images of the same size, and their mask, see match_scores."""
    own = views[reference]
    others = [i for i, view in enumerate(views) if i != reference and view.patches.shape == own.patches.shape]
    if not others:
        empty = own.image.new_zeros(1, len(depths), own.patches.shape[1] // 2, own.patches.shape[2] // 2)
        return empty, empty.bool()
    T = np.stack([inverse(frames[i].T_world_camera) @ frames[reference].T_world_camera for i in others])
    return match_scores(
        own.patches,
        torch.stack([views[i].patches for i in others]),
        torch.stack([views[i].K for i in (reference, *others)]),
        torch.from_numpy(T).to(own.image),
        depths,
    )


def enlarged(depth: Tensor) -> Tensor:
    """Depth [h, w] (0 = none) at the size of the images [4 h, 4 w], not interpolated across edges and holes."""
    whole = depth[None, None]
    nearest = interpolate(whole, scale_factor=_SCALE, mode="nearest")[0, 0]
    smooth = interpolate(whole, scale_factor=_SCALE, mode="bilinear", align_corners=False)[0, 0]
    return torch.where((smooth - nearest).abs() < _EDGE * nearest, smooth, nearest)
