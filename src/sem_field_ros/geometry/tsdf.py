"""The truncated signed distance volume: sparse blocks of 8x8x8 voxels, by one of two implementations.

`open3d` integrates with Open3D's VoxelBlockGrid (C++), `torch` with plain tensor code (the readable
twin, on any device). Both have the same block layout:

    tsdf    [S, 512]     float32  distance / truncation, clamped to [-1, 1]; positive in free space
    weight  [S, 512]     float32  number of frames that saw the voxel; 0 = never observed
    color   [S, 512, 3]  float32  RGB 0-255

S is the capacity in slots; voxels are numbered as in voxel_names.py, and voxel (i, j, k) of the world lattice lies at
voxel_size * (i, j, k) metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.voxel_names import BLOCK


@dataclass(frozen=True)
class TsdfConfig:
    """Parameters of a volume; lengths in metres."""

    voxel_size_m: float
    truncation_voxels: float = 4.0
    depth_min_m: float = 0.1
    depth_max_m: float = 4.0
    max_weight: float = 100.0

    @property
    def block_side_m(self) -> float:
        """Edge length of a block."""
        return self.voxel_size_m * BLOCK

    @property
    def truncation_m(self) -> float:
        """Distance from the surface beyond which the signed distance is clamped."""
        return self.voxel_size_m * self.truncation_voxels


@dataclass(frozen=True)
class ActivatedBlocks:
    """Blocks that one frame changed: their slots [n] int64, and which of them are new, [n] bool."""

    slots: Tensor
    is_new: Tensor


class TsdfVolume(Protocol):
    """A sparse TSDF. Slots are stable until `grow`."""

    config: TsdfConfig

    @property
    def tsdf(self) -> Tensor: ...
    @property
    def weight(self) -> Tensor: ...
    @property
    def color(self) -> Tensor: ...
    @property
    def capacity(self) -> int: ...

    def __len__(self) -> int:
        """Number of blocks in use."""
        ...

    def visible_block_keys(self, depth: np.ndarray, camera: Intrinsics, T_world_camera: np.ndarray) -> Tensor:
        """Keys [n, 3] int32 of the blocks near the surface that a depth image shows."""
        ...

    def activate(self, keys: Tensor) -> ActivatedBlocks:
        """Create blocks that do not exist (zeroed). The caller must have made room with `grow`."""
        ...

    def integrate(
        self,
        keys: Tensor,
        depth: np.ndarray,
        color: np.ndarray,
        depth_camera: Intrinsics,
        color_camera: Intrinsics,
        T_world_camera: np.ndarray,
    ) -> None:
        """Fuse one frame into existing blocks: running averages of distance and colour, weight + 1."""
        ...

    def find(self, keys: Tensor) -> Tensor:
        """Keys [n, 3] -> slots [n] int64, -1 = no such block."""
        ...

    def keys(self) -> tuple[Tensor, Tensor]:
        """All blocks: keys [n, 3] int32 and slots [n] int64."""
        ...

    def erase(self, keys: Tensor) -> None:
        """Remove blocks."""
        ...

    def grow(self, capacity: int) -> tuple[Tensor, Tensor]:
        """Make room for `capacity` blocks; returns (old slots, new slots) of every block in use."""
        ...


_KEY_OFFSET, _KEY_BITS = 1 << 20, 21  # keys within +-2^20 blocks of the origin


def packed_keys(keys: Tensor) -> Tensor:
    """Keys [..., 3] as one number each, [...] int64, in the order of unique_keys."""
    wide = (keys.long() + _KEY_OFFSET).clamp(0, 2 * _KEY_OFFSET - 1)
    return (wide[..., 0] << 2 * _KEY_BITS) | (wide[..., 1] << _KEY_BITS) | wide[..., 2]


def unique_keys(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Keys [n, 3] -> sorted keys without duplicates [m, 3] int32, and which of them each input was [n] int64.

    Far faster than torch.unique(dim=0), which sorts rows as tuples.
    """
    packed, back = torch.unique(packed_keys(keys), return_inverse=True)
    mask = (1 << _KEY_BITS) - 1
    columns = [packed >> 2 * _KEY_BITS, packed >> _KEY_BITS & mask, packed & mask]
    return (torch.stack(columns, dim=1) - _KEY_OFFSET).int(), back
