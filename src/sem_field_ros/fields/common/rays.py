"""Rays of cameras: one per pixel, unit directions, and the factor between distance along the ray and depth along z."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sem_field_ros.geometry.camera import Intrinsics


@dataclass(frozen=True)
class Rays:
    """R rays in the world: origins and unit directions [R, 3]; `scale` [R] = distance along the ray / depth along z."""

    origins: Tensor
    directions: Tensor
    scale: Tensor

    def __len__(self) -> int:
        return len(self.origins)

    def __getitem__(self, index: Tensor) -> Rays:
        return Rays(self.origins[index], self.directions[index], self.scale[index])

    def at(self, distance: Tensor) -> Tensor:
        """Points [R * M, 3] at distances [R, M] along the rays."""
        return (self.origins[:, None] + distance[..., None] * self.directions[:, None]).reshape(-1, 3)

    def split(self, size: int) -> Iterator[Rays]:
        """Parts of at most `size` rays, in order."""
        for part in torch.arange(len(self), device=self.origins.device).split(size):
            yield self[part]


def pixel_rays(pixels: Tensor, camera: Intrinsics, T_world_camera: Tensor) -> Rays:
    """Rays through pixels [R, 2] (u, v; centres at integers) of a camera with pose 4x4, optical frame to world."""
    x = (pixels[:, 0] - camera.cx) / camera.fx
    y = (pixels[:, 1] - camera.cy) / camera.fy
    local = torch.stack([x, y, torch.ones_like(x)], dim=1)
    scale = local.norm(dim=1)
    T = T_world_camera.to(pixels)
    directions = (local / scale[:, None]) @ T[:3, :3].T
    return Rays(T[:3, 3].expand_as(directions), directions, scale)


def camera_rays(camera: Intrinsics, T_world_camera: Tensor) -> Rays:
    """One ray per pixel, row by row, on the pose's device."""
    T = T_world_camera.float()
    v, u = torch.meshgrid(
        torch.arange(camera.height, device=T.device), torch.arange(camera.width, device=T.device), indexing="ij"
    )
    return pixel_rays(torch.stack([u, v], dim=-1).reshape(-1, 2).float(), camera, T)
