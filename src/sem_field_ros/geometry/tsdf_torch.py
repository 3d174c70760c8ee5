"""TSDF volume in plain torch: the readable twin of tsdf_open3d.py, on any device. See tsdf.py for the layout."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.geometry.camera import Intrinsics, unproject
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.geometry.tsdf import ActivatedBlocks, TsdfConfig
from sem_field_ros.geometry.voxel_names import BLOCK, VOXELS

_STRIDE = 4  # every 4th pixel suffices to find the blocks near a surface


class TorchTsdf:
    """A TsdfVolume with a Python dictionary as its block table."""

    def __init__(self, config: TsdfConfig, capacity: int, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self._slot_of: dict[tuple[int, int, int], int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self._tsdf = torch.zeros(capacity, VOXELS, device=self.device)
        self._weight = torch.zeros(capacity, VOXELS, device=self.device)
        self._color = torch.zeros(capacity, VOXELS, 3, device=self.device)
        i = torch.arange(VOXELS, device=self.device)
        self._offsets = torch.stack([i % BLOCK, i // BLOCK % BLOCK, i // BLOCK**2], dim=1)  # [512, 3] x, y, z

    @property
    def tsdf(self) -> Tensor:
        return self._tsdf

    @property
    def weight(self) -> Tensor:
        return self._weight

    @property
    def color(self) -> Tensor:
        return self._color

    @property
    def capacity(self) -> int:
        return len(self._tsdf)

    def __len__(self) -> int:
        return len(self._slot_of)

    def visible_block_keys(self, depth: np.ndarray, camera: Intrinsics, T_world_camera: np.ndarray) -> Tensor:
        usable = (depth >= self.config.depth_min_m) & (depth <= self.config.depth_max_m)
        points = unproject(np.where(usable, depth, 0), camera)[::_STRIDE, ::_STRIDE]
        points = points[usable[::_STRIDE, ::_STRIDE]]
        rays = points / np.linalg.norm(points, axis=-1, keepdims=True) if len(points) else points
        side = self.config.block_side_m
        steps = np.arange(-self.config.truncation_m, self.config.truncation_m + 1e-9, side / 4)
        near = points[:, None] + rays[:, None] * np.append(steps, self.config.truncation_m)[:, None]
        keys = np.floor(transform_points(T_world_camera, near.reshape(-1, 3)) / side)
        return torch.from_numpy(np.unique(keys.astype(np.int32), axis=0))

    def activate(self, keys: Tensor) -> ActivatedBlocks:
        slots, is_new = [], []
        for key in map(tuple, keys.tolist()):
            is_new.append(key not in self._slot_of)
            slots.append(self._slot_of.setdefault(key, self._free[-1]) if self._free else self._slot_of[key])
            if is_new[-1]:
                self._free.pop()
        touched = ActivatedBlocks(torch.tensor(slots, dtype=torch.int64), torch.tensor(is_new, dtype=torch.bool))
        new = touched.slots[touched.is_new].to(self.device)
        self._tsdf[new] = 0
        self._weight[new] = 0
        self._color[new] = 0
        return touched

    def integrate(
        self,
        keys: Tensor,
        depth: np.ndarray,
        color: np.ndarray,
        depth_camera: Intrinsics,
        color_camera: Intrinsics,
        T_world_camera: np.ndarray,
    ) -> None:
        if len(keys) == 0:
            return
        slots = self.find(keys).to(self.device)
        lattice = keys.to(self.device).long()[:, None] * BLOCK + self._offsets  # [B, 512, 3]
        T_camera_world = torch.from_numpy(inverse(T_world_camera)).float().to(self.device)
        points = lattice.float() * self.config.voxel_size_m @ T_camera_world[:3, :3].T + T_camera_world[:3, 3]
        pixel, in_depth = _pixel_index(points, depth_camera)
        measured = torch.from_numpy(depth).to(self.device).flatten()[pixel]
        in_range = (measured >= self.config.depth_min_m) & (measured <= self.config.depth_max_m)
        distance = measured - points[..., 2]
        hit = in_depth & in_range & (distance >= -self.config.truncation_m)
        value = (distance / self.config.truncation_m).clamp(max=1.0)
        weight = self._weight[slots]
        self._tsdf[slots] = torch.where(hit, (self._tsdf[slots] * weight + value) / (weight + 1), self._tsdf[slots])
        color_pixel, in_color = _pixel_index(points, color_camera)
        seen = torch.from_numpy(np.ascontiguousarray(color)).to(self.device).reshape(-1, 3)[color_pixel].float()
        old = self._color[slots]
        blend = (old * weight[..., None] + seen) / (weight[..., None] + 1)
        self._color[slots] = torch.where((hit & in_color)[..., None], blend, old)
        self._weight[slots] = torch.where(hit, weight + 1, weight)

    def find(self, keys: Tensor) -> Tensor:
        return torch.tensor([self._slot_of.get(key, -1) for key in map(tuple, keys.tolist())], dtype=torch.int64)

    def keys(self) -> tuple[Tensor, Tensor]:
        keys = torch.tensor(list(self._slot_of), dtype=torch.int32).reshape(-1, 3)
        return keys, torch.tensor(list(self._slot_of.values()), dtype=torch.int64)

    def erase(self, keys: Tensor) -> None:
        for key in map(tuple, keys.tolist()):
            slot = self._slot_of.pop(key, None)
            if slot is not None:
                self._free.append(slot)

    def grow(self, capacity: int) -> tuple[Tensor, Tensor]:
        extra = capacity - self.capacity
        if extra > 0:
            self._free = list(range(capacity - 1, self.capacity - 1, -1)) + self._free
            self._tsdf = torch.cat([self._tsdf, self._tsdf.new_zeros(extra, VOXELS)])
            self._weight = torch.cat([self._weight, self._weight.new_zeros(extra, VOXELS)])
            self._color = torch.cat([self._color, self._color.new_zeros(extra, VOXELS, 3)])
        slots = self.keys()[1]
        return slots, slots.clone()


def _pixel_index(points: Tensor, camera: Intrinsics) -> tuple[Tensor, Tensor]:
    """Camera points [..., 3] -> index into the flattened image (0 where outside) and whether inside, [...]."""
    z = points[..., 2].clamp(min=1e-6)
    u = (camera.fx * points[..., 0] / z + camera.cx).round().long()
    v = (camera.fy * points[..., 1] / z + camera.cy).round().long()
    inside = (points[..., 2] > 1e-6) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    return torch.where(inside, v * camera.width + u, 0), inside
