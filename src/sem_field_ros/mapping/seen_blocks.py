"""The blocks of a volume that a frame sees: near its surface, and in the free space before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import project
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.geometry.tsdf import TsdfVolume


class SeenBlocks:
    """Finds the blocks of one volume. Frames must have depth."""

    def __init__(self, volume: TsdfVolume) -> None:
        self._volume = volume
        self._last: tuple[PosedFrame, Tensor] | None = None

    def surface(self, frame: PosedFrame) -> Tensor:
        """Keys [n, 3] int32 of the blocks near the frame's surface.

        The last result is cached: a keyframe needs it twice, to integrate and to vote.
        """
        assert frame.depth is not None
        if self._last is None or self._last[0] is not frame:
            keys = self._volume.visible_block_keys(frame.depth, frame.depth_camera, frame.T_world_camera)
            self._last = frame, keys
        return self._last[1]

    def free_space(self, frame: PosedFrame) -> Tensor:
        """Keys [n, 3] of blocks in free space: what was there is gone (people, doors, drift)."""
        assert frame.depth is not None
        keys, _ = self._volume.keys()
        side = self._volume.config.block_side_m
        centers = transform_points(inverse(frame.T_world_camera), (keys.numpy() + 0.5) * side)
        pixels, z = project(centers, frame.depth_camera)
        u, v = np.rint(np.clip(pixels, -1, 1e6)).astype(np.int64).T
        inside = (z > 0) & (u >= 0) & (v >= 0) & (u < frame.depth.shape[1]) & (v < frame.depth.shape[0])
        depth = frame.depth[np.where(inside, v, 0), np.where(inside, u, 0)]
        return keys[torch.from_numpy(inside & (depth > z))]
