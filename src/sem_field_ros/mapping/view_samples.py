"""Samples one view at surface points: which of them it sees, and its class probabilities there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.segmentation.segmenter import ClassProbabilities


@dataclass(frozen=True)
class ViewSamples:
    """One view of n surface points, of which it sees m.

    seen       [n] bool; everything else is for the m seen points, in order
    probabilities  [m, C] class probabilities that sum to 1        distance  [m] metres from the camera
    cosine     [m] between the normal and the way to the camera
    cues       [m, CUES] how the view sees the points, see Votes
    features   [m, D] image features in -1..1, None if there are none
    """

    seen: Tensor
    probabilities: Tensor
    distance: Tensor
    cosine: Tensor
    cues: Tensor
    features: Tensor | None = None


@dataclass(frozen=True)
class View:
    """A keyframe that may still vote, with the predictions of segmenter number `member` of those combined."""

    frame: PosedFrame
    probabilities: ClassProbabilities
    keyframe_id: int
    member: int


def sample_view(
    positions: Tensor, normals: Tensor, frame: PosedFrame, probabilities: ClassProbabilities, tolerance_m: float
) -> ViewSamples:
    """Sample a keyframe at surface points [n, 3] (world, metres; normals point to free space).

    A point is seen if it projects into the image, faces the camera, and the depth image has the same depth there,
    within `tolerance_m` plus the change between neighbouring pixels on an oblique surface.
    """
    assert frame.depth is not None
    device = positions.device
    T = torch.from_numpy(inverse(frame.T_world_camera).astype(np.float32)).to(device)
    local = positions @ T[:3, :3].T + T[:3, 3]
    z = local[:, 2]
    distance = local.norm(dim=1)
    cosine = -(local * (normals @ T[:3, :3].T)).sum(dim=1) / distance.clamp(min=1e-6)

    camera = frame.depth_camera
    safe = z.clamp(min=1e-6)
    x, y = local[:, 0] / safe, local[:, 1] / safe
    u, v = (camera.fx * x + camera.cx).round().long(), (camera.fy * y + camera.cy).round().long()
    inside = (z > 1e-3) & (cosine > 0) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    depth = torch.from_numpy(frame.depth).to(device)
    measured = depth.flatten()[torch.where(inside, v * camera.width + u, 0)]
    slope = z / camera.fx / cosine.clamp(min=0.1)  # depth change from one pixel to the next on this surface
    seen = inside & (measured > 0) & ((measured - z).abs() < tolerance_m + slope)

    index = seen.nonzero()[:, 0]
    grid = _image_grid(x[index], y[index], frame.camera)
    sampled = _sample(probabilities.values.to(device), grid)
    total = sampled.sum(dim=1)
    labelled = total > 0.5  # the sum falls below 1 near unlabelled pixels
    if not labelled.all():
        seen[index[~labelled]] = False
        at = labelled.nonzero()[:, 0]
        index, grid, sampled, total = (values.index_select(0, at) for values in (index, grid, sampled, total))
    displacement = positions.index_select(0, index) - torch.from_numpy(
        frame.T_world_camera[:3, 3].astype(np.float32)
    ).to(device)
    features = probabilities.features
    return ViewSamples(
        seen,
        sampled / total[:, None],
        distance[index],
        cosine[index],
        torch.cat([displacement, (measured - z)[index, None], cosine[index, None]], dim=1),
        None if features is None else _sample(features.to(device), grid),
    )


def _image_grid(x: Tensor, y: Tensor, camera: Intrinsics) -> Tensor:
    """Image position of points at x = X / Z, y = Y / Z [n], [n, 2]: -1 and 1 are the image's edges."""
    u = 2 * (camera.fx * x + camera.cx + 0.5) / camera.width - 1
    v = 2 * (camera.fy * y + camera.cy + 0.5) / camera.height - 1
    return torch.stack([u, v], dim=1)


def _sample(image: Tensor, grid: Tensor) -> Tensor:
    """Sample [C, h, w] at [n, 2] bilinearly -> [n, C]."""
    sampled = grid_sample(image[None], grid[None, None], align_corners=False, padding_mode="border")[0, :, 0]
    return sampled.T.contiguous()
