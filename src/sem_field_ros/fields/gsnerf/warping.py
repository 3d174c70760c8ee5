"""Features of neighbouring views at the depth hypotheses of a reference view's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

_MIN_DEPTH_M = 1e-3


@dataclass(frozen=True)
class Neighbours:
    """A reference view with N neighbours: K [1 + N, 3, 3] of images of `size` (width, height), the reference first.

    T_neighbour_reference [N, 4, 4] between optical camera frames, metres
    """

    K: Tensor
    T_neighbour_reference: Tensor
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.T_neighbour_reference)


def pixel_directions(K: Tensor, size: tuple[int, int], height: int, width: int) -> Tensor:
    """Points [3, h * w] at z = 1 of the pixel centres of a map of h x w that covers images of `size` with K [3, 3]."""
    v, u = torch.meshgrid(
        torch.arange(height, device=K.device, dtype=K.dtype),
        torch.arange(width, device=K.device, dtype=K.dtype),
        indexing="ij",
    )
    u, v = (u + 0.5) * size[0] / width - 0.5, (v + 0.5) * size[1] / height - 0.5
    return torch.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], torch.ones_like(u)]).reshape(3, -1)


def warp(features: Tensor, depth: Tensor, views: Neighbours, n: int) -> tuple[Tensor, Tensor]:
    """Features [C, h', w'] of neighbour `n` at the hypotheses depth [D, h, w] (metres) of the reference's pixels.

    -> [C, D, h, w], and whether the point lies in the neighbour's image [D, h, w] bool
    """
    planes, height, width = depth.shape
    T, K = views.T_neighbour_reference[n], views.K[1 + n]
    rays = K @ T[:3, :3] @ pixel_directions(views.K[0], views.size, height, width)
    shift = K @ T[:3, 3]
    image = rays[None] * depth.reshape(planes, 1, -1) + shift[None, :, None]
    z = image[:, 2]
    pixel = image[:, :2] / z.clamp(min=_MIN_DEPTH_M)[:, None]
    grid = (pixel + 0.5) / pixel.new_tensor(views.size)[:, None] * 2 - 1
    inside = (z > _MIN_DEPTH_M) & (grid.abs() < 1).all(dim=1)
    sampled = grid_sample(
        features[None], grid.permute(0, 2, 1)[None].clamp(-2, 2), align_corners=False, padding_mode="border"
    )[0]
    return sampled.reshape(-1, planes, height, width), inside.reshape(planes, height, width)
