"""What one view says about surface points: which of them it sees, and its class probabilities there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.segmentation.segmenter import ClassProbabilities


def sample_view(
    positions: Tensor, normals: Tensor, frame: PosedFrame, probabilities: ClassProbabilities, tolerance_m: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sample a keyframe at surface points [n, 3] (world, metres; normals point to free space).

    A point is seen if it projects into the image, faces the camera, and the depth image has the same depth there,
    within `tolerance_m` plus what an oblique surface changes between neighbouring pixels.
    Returns seen [n] bool and, for the m seen points: probabilities [m, C] (sum 1), distance [m] metres, cosine [m].
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
    color = frame.camera
    # pixel areas: -1 is the left edge of the first pixel, +1 the right edge of the last one
    grid = torch.stack(
        [
            2 * (color.fx * x[index] + color.cx + 0.5) / color.width - 1,
            2 * (color.fy * y[index] + color.cy + 0.5) / color.height - 1,
        ],
        dim=1,
    )
    sampled = grid_sample(
        probabilities.values.to(device)[None], grid[None, None], align_corners=False, padding_mode="border"
    )[0, :, 0].T
    total = sampled.sum(dim=1)
    opinion = total > 0.5  # near pixels without an opinion the sum falls below 1
    seen[index[~opinion]] = False
    index = index[opinion]
    return seen, sampled[opinion] / total[opinion, None], distance[index], cosine[index]
