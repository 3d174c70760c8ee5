"""TSDF volume on Open3D's VoxelBlockGrid (CPU): the fast one. Layout: tsdf.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import open3d as o3d
import open3d.core as o3c
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.geometry.tsdf import ActivatedBlocks, TsdfConfig
from sem_field_ros.geometry.voxel_names import BLOCK, VOXELS

# At exit Open3D reports buffers that torch still shares as leaks; they are not.
o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)


class Open3dTsdf:
    """A TsdfVolume whose buffers belong to Open3D and are shared with torch."""

    def __init__(self, config: TsdfConfig, capacity: int) -> None:
        self.config = config
        self._grid: Any = o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight", "color"),
            (o3c.float32, o3c.float32, o3c.float32),
            ((1,), (1,), (3,)),  # type: ignore[arg-type]
            config.voxel_size_m,
            BLOCK,
            capacity,
            o3c.Device("CPU:0"),
        )
        self._table = self._grid.hashmap()
        # Depth travels as uint16: the finest unit in which depth_max still fits, at most 0.1 mm.
        self._depth_scale = min(10_000.0, 65_000.0 / config.depth_max_m)
        self._asked: tuple[np.ndarray, np.ndarray] | tuple[None, None] = None, None  # see _depth_units

    @property
    def tsdf(self) -> Tensor:
        return from_dlpack(self._grid.attribute("tsdf").to_dlpack()).view(-1, VOXELS)

    @property
    def weight(self) -> Tensor:
        return from_dlpack(self._grid.attribute("weight").to_dlpack()).view(-1, VOXELS)

    @property
    def color(self) -> Tensor:
        return from_dlpack(self._grid.attribute("color").to_dlpack()).view(-1, VOXELS, 3)

    @property
    def capacity(self) -> int:
        return int(self._table.capacity())

    def __len__(self) -> int:
        return int(self._table.size())

    def _depth_units(self, depth: np.ndarray) -> np.ndarray:
        """Depth in Open3D's units [H, W] uint16, 0 where it is out of range.

        Cached for one frame: finding its blocks and integrating it both need it.
        """
        (asked, units), self._asked = self._asked, (None, None)
        if units is None or asked is not depth:
            usable = (depth >= self.config.depth_min_m) & (depth <= self.config.depth_max_m)
            units = np.where(usable, depth * self._depth_scale + 0.5, 0).astype(np.uint16)
        return units

    def visible_block_keys(self, depth: np.ndarray, camera: Intrinsics, T_world_camera: np.ndarray) -> Tensor:
        units = self._depth_units(depth)
        if not units.any():
            return torch.zeros((0, 3), dtype=torch.int32)  # Open3D raises on an image without depth
        self._asked = depth, units
        try:
            keys = self._grid.compute_unique_block_coordinates(
                o3d.t.geometry.Image(_tensor(units)),
                _tensor(camera.matrix),
                _tensor(inverse(T_world_camera)),
                self._depth_scale,
                float(self.config.depth_max_m),
                float(self.config.truncation_voxels),
            )
        except RuntimeError as error:
            if "No block is touched" not in str(error):
                raise
            return torch.zeros((0, 3), dtype=torch.int32)  # it reads every 4th pixel; depth lies between these
        return torch.from_numpy(keys.numpy())

    def activate(self, keys: Tensor) -> ActivatedBlocks:
        if len(keys) == 0:
            return ActivatedBlocks(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool))
        slots, is_new = self._table.activate(_tensor(keys.numpy()))
        # `activate` leaves the slots of existing blocks undefined: look all of them up
        slots, _ = self._table.find(_tensor(keys.numpy()))
        touched = ActivatedBlocks(torch.from_numpy(slots.numpy()).long(), torch.from_numpy(is_new.numpy()))
        new = touched.slots[touched.is_new]
        for buffer in (self.tsdf, self.weight, self.color):  # erased slots come back with their old content
            buffer[new] = 0
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
        self._grid.integrate(
            _tensor(keys.numpy()),
            o3d.t.geometry.Image(_tensor(self._depth_units(depth))),
            o3d.t.geometry.Image(_tensor(np.ascontiguousarray(color))),
            _truncating(depth_camera),
            _truncating(color_camera),
            _tensor(inverse(T_world_camera)),
            self._depth_scale,
            float(self.config.depth_max_m),
            float(self.config.truncation_voxels),
        )

    def find(self, keys: Tensor) -> Tensor:
        if len(keys) == 0:
            return torch.zeros(0, dtype=torch.int64)
        slots, found = self._table.find(_tensor(keys.contiguous().numpy()))
        return torch.where(torch.from_numpy(found.numpy()), torch.from_numpy(slots.numpy()).long(), -1)

    def keys(self) -> tuple[Tensor, Tensor]:
        slots = torch.from_numpy(self._table.active_buf_indices().numpy()).long()
        return torch.from_numpy(self._table.key_tensor().numpy())[slots], slots

    def erase(self, keys: Tensor) -> None:
        if len(keys):
            self._table.erase(_tensor(keys.contiguous().numpy()))

    def grow(self, capacity: int) -> tuple[Tensor, Tensor]:
        keys, old = self.keys()
        keys = keys.clone()
        self._table.reserve(capacity)
        return old, self.find(keys)


def _truncating(camera: Intrinsics) -> Any:
    """Open3D truncates pixel coordinates, the code here rounds to the nearest centre: half a pixel makes both equal."""
    K = camera.matrix
    K[:2, 2] += 0.5
    return _tensor(K)


def _tensor(array: np.ndarray) -> Any:
    """An Open3D tensor that shares the array's memory (Open3D's type stubs do not know this constructor)."""
    return o3c.Tensor(np.ascontiguousarray(array))  # type: ignore[call-overload]
