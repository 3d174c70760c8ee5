"""Source views of a field: posed images as feature and class-probability maps, and how points sample them.

Pixel convention in this file: (u, v) = (0, 0) is the centre of the first pixel; a map of another size covers
the same image area (grid_sample with align_corners=False).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

_MIN_DEPTH_M = 1e-3


@dataclass(frozen=True)
class SourceViews:
    """V posed views with the maps a point can sample. Every map may have its own size.

    features  [V, D, h, w]        image features F_i
    classes   [V, C, h', w']      class probabilities S_i
    K         [V, 3, 3]           intrinsics of images of `size` = (width, height) pixels
    T_camera_world [V, 4, 4]      world (metres) to optical camera frames
    depth     [V, H, W]           metres along z, 0 = invalid; None if the cameras have no depth
    """

    features: Tensor
    classes: Tensor
    K: Tensor
    T_camera_world: Tensor
    size: tuple[int, int]
    depth: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    @property
    def origins(self) -> Tensor:
        """Camera centres o_i [V, 3] in the world."""
        R, t = self.T_camera_world[:, :3, :3], self.T_camera_world[:, :3, 3]
        return -(R.transpose(1, 2) @ t[..., None])[..., 0]


@dataclass(frozen=True)
class Projection:
    """N points in V views: pixels [N, V, 2], depth z [N, V] metres, inside [N, V] bool (in the image, in front)."""

    pixels: Tensor
    z: Tensor
    inside: Tensor


def project_points(points: Tensor, views: SourceViews) -> Projection:
    """Project world points [N, 3] into every view."""
    R, t = views.T_camera_world[:, :3, :3], views.T_camera_world[:, :3, 3]
    local = torch.einsum("vij,nj->nvi", R, points) + t
    z = local[..., 2]
    image = torch.einsum("vij,nvj->nvi", views.K, local)
    pixels = image[..., :2] / z.clamp(min=_MIN_DEPTH_M)[..., None]
    width, height = views.size
    u, v = pixels.unbind(dim=-1)
    inside = (z > _MIN_DEPTH_M) & (u >= -0.5) & (v >= -0.5) & (u <= width - 0.5) & (v <= height - 0.5)
    return Projection(pixels, z, inside)


def sample_maps(maps: Tensor, pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample maps [V, D, h, w] at pixels [N, V, 2] of images of `size`, bilinearly -> [N, V, D].

    Outside the image the border is repeated; mask such samples with Projection.inside.
    """
    scale = pixels.new_tensor([2.0 / size[0], 2.0 / size[1]])
    grid = ((pixels + 0.5) * scale - 1).transpose(0, 1)  # [V, N, 2]; -1 and 1 are the image's edges
    sampled = grid_sample(maps, grid[:, None].to(maps.dtype), align_corners=False, padding_mode="border")
    return sampled[:, :, 0].permute(2, 0, 1)


def sample_depth(depth: Tensor, pixels: Tensor) -> Tensor:
    """Nearest depth [N, V] of maps [V, H, W] at pixels [N, V, 2] of the same size, 0 outside and where invalid."""
    count, height, width = depth.shape
    u, v = pixels[..., 0].round().long(), pixels[..., 1].round().long()
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    view = torch.arange(count, device=depth.device).expand_as(u)
    return torch.where(inside, depth[view, v.clamp(0, height - 1), u.clamp(0, width - 1)], 0.0)
