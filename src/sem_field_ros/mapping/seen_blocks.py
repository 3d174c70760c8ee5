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
        keys, z, measured = self._seen_through(frame, frame.depth)
        return keys[torch.from_numpy(measured > z)]

    def _seen_through(self, frame: PosedFrame, depth: np.ndarray) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """All blocks [n, 3], the depth of their centres [n], and the measured one there (-1 outside of the image)."""
        keys, _ = self._volume.keys()
        side = self._volume.config.block_side_m
        centers = transform_points(inverse(frame.T_world_camera), (keys.numpy() + 0.5) * side)
        pixels, z = project(centers, frame.depth_camera)
        u, v = np.rint(np.clip(pixels, -1, 1e6)).astype(np.int64).T
        inside = (z > 0) & (u >= 0) & (v >= 0) & (u < depth.shape[1]) & (v < depth.shape[0])
        measured = depth[np.where(inside, v, 0), np.where(inside, u, 0)]
        return keys, z, np.where(inside, measured, -1)

    def carve_beyond(self, frame: PosedFrame) -> list[tuple[int, int, int]]:
        """Make free what lies before depth that is measured beyond the range; returns the names of the blocks."""
        assert frame.depth is not None
        config = self._volume.config
        far = frame.depth > config.depth_max_m
        if not far.any():
            return []
        keys, z, measured = self._seen_through(frame, np.where(far, frame.depth, np.float32(0)))
        reach = config.depth_max_m - config.truncation_m - config.block_side_m  # nothing may become surface at its end
        keys = keys[torch.from_numpy((measured > 0) & (z < reach))]
        depth = np.minimum(frame.depth, np.float32(config.depth_max_m))
        cameras = frame.depth_camera, frame.camera
        self._volume.integrate(keys, depth, frame.color, *cameras, frame.T_world_camera)
        return [(x, y, z) for x, y, z in keys.tolist()]
