"""A map's own origin: far from that of its frame, 32-bit floats are too coarse for voxels.

A map that begins more than a kilometre from the origin of its frame (UTM, a national grid) is kept relative to a point
near its first camera; what goes in and out is moved in 64 bits. Points are published with 32 bits a coordinate, which
limits how far from the origin of the frame a map can be.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from sem_field_ros.errors import FrameError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.surface import Surface, SurfaceUpdate

FAR_M = 1000.0
_COARSEST = 0.25  # of a voxel: the largest step between published coordinates


class LocalOrigin:
    """`offset` [3] float64, metres: what is subtracted from world positions. Zero near the origin."""

    def __init__(self, offset: np.ndarray | None = None) -> None:
        self.offset = np.zeros(3) if offset is None else np.asarray(offset, dtype=np.float64)

    def place(self, frame: PosedFrame, is_first: bool, voxel_size_m: float) -> PosedFrame:
        """A frame to map, with its pose relative to this origin; the first one decides where that is.

        Raises FrameError (cause `out_of_range`) too far from the origin of the frame.
        """
        check_range(frame.T_world_camera, voxel_size_m)
        if is_first:
            position = frame.T_world_camera[:3, 3]
            self.offset = np.round(position) if np.abs(position).max() > FAR_M else np.zeros(3)
        return self.local(frame)

    def local(self, frame: PosedFrame) -> PosedFrame:
        """The frame with its pose relative to this origin."""
        if not self.offset.any():
            return frame
        moved = copy.copy(frame)
        object.__setattr__(moved, "T_world_camera", self.local_pose(frame.T_world_camera))
        return moved

    def local_pose(self, T_world_camera: np.ndarray) -> np.ndarray:
        """T_local_camera."""
        T = np.array(T_world_camera, dtype=np.float64)
        T[:3, 3] -= self.offset
        return T

    def local_points(self, points: np.ndarray) -> np.ndarray:
        """World points [N, 3] relative to this origin, float32."""
        return (np.asarray(points, dtype=np.float64) - self.offset).astype(np.float32)

    def world(self, surface: Surface) -> Surface:
        """The surface at its place in the world."""
        if not self.offset.any() or not len(surface):
            return surface
        return replace(surface, vertices=(surface.vertices.astype(np.float64) + self.offset).astype(np.float32))

    def world_update(self, update: SurfaceUpdate) -> SurfaceUpdate:
        """The changed surfaces at their places in the world."""
        if not self.offset.any():
            return update
        return replace(update, changed={block: self.world(surface) for block, surface in update.changed.items()})


def check_range(T_world_camera: np.ndarray, voxel_size_m: float) -> None:
    """Raise FrameError (cause `out_of_range`) where published coordinates would be coarser than the voxels."""
    farthest = float(np.abs(T_world_camera[:3, 3]).max())
    step = float(np.spacing(np.float32(farthest)))
    if step > _COARSEST * voxel_size_m:
        raise FrameError(
            f"the camera is {farthest:,.0f} m from the origin of its frame, where 32-bit coordinates have steps of "
            f"{step:.2g} m: too coarse for voxels of {voxel_size_m:g} m; use a frame with an origin near by, e.g. map "
            "instead of utm",
            cause="out_of_range",
        )
