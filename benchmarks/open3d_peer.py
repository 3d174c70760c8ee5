"""The peer in the benchmarks of mapping: Open3D's colour integration (VoxelBlockGrid), without labels."""

from __future__ import annotations

import numpy as np
import open3d as o3d
import open3d.core as o3c

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.mapping.config import MapConfig

PEER = "Open3D VoxelBlockGrid"
_DEPTH_SCALE = 1000.0


class Open3dPeer:
    """Open3D's colour integration as in its tutorial: 16^3 blocks, weight and colour in float."""

    def __init__(self, config: MapConfig) -> None:
        self._config = config
        self._grid = o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight", "color"),
            (o3c.float32, o3c.float32, o3c.float32),
            ((1,), (1,), (3,)),
            config.voxel_size_m,
            16,
            10_000,
            o3c.Device("CPU:0"),
        )

    def integrate(self, depth_mm: np.ndarray, frame: PosedFrame) -> None:
        """Integrate one frame; `depth_mm`: see depth_in_mm, which is not timed."""
        depth, color = (o3d.t.geometry.Image(o3c.Tensor(image)) for image in (depth_mm, frame.color))
        K, extrinsic = o3c.Tensor(frame.camera.matrix), o3c.Tensor(inverse(frame.T_world_camera))
        limit, truncation = float(self._config.depth_max_m), float(self._config.truncation_voxels)
        K_depth = o3c.Tensor(frame.depth_camera.matrix)
        blocks = self._grid.compute_unique_block_coordinates(depth, K_depth, extrinsic, _DEPTH_SCALE, limit, truncation)
        self._grid.integrate(blocks, depth, color, K_depth, K, extrinsic, _DEPTH_SCALE, limit, truncation)


def depth_in_mm(frame: PosedFrame) -> np.ndarray:
    """Depth of a frame as the peer reads it: [h, w] uint16 millimetres."""
    assert frame.depth is not None
    return (frame.depth * _DEPTH_SCALE + 0.5).astype(np.uint16)
