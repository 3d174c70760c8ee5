"""Which keyframes are kept: those that show most of what no other one shows. Works without ROS.

A keyframe is described by a few of the surface points that it shows. Another one shows such a point alike if it lies
in its image, is not hidden there, and is seen from about the same direction and distance. A keyframe whose points are
all shown alike by others is not missed; one that alone shows a place, or a place from that side, is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sem_field_ros.fields.common.window import nearest_pixels
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics, project, unproject
from sem_field_ros.geometry.poses import inverse, motion_between, transform_points

_GRID = (9, 12)  # points of a keyframe: rows, columns
_UNKNOWN_DEPTHS_M = (1.0, 2.0, 4.0)  # where a camera without depth may see surfaces
_HIDDEN = 1.15  # a point this much farther than the keyframe's own depth there is hidden
_ALIKE_DEG, _ALIKE_DISTANCE = 30.0, 2.0


@dataclass(frozen=True)
class Keyframe:
    """Pose and camera of a kept frame, and points [P, 3] (world, metres) that it shows; depth [9, 12] or None."""

    stamp_ns: int
    camera: Intrinsics
    T_world_camera: np.ndarray
    points: np.ndarray
    depth: np.ndarray | None

    @classmethod
    def of(cls, frame: PosedFrame) -> Keyframe:
        """Describe a frame. Without depth, or where it is invalid everywhere, points lie at several distances."""
        camera = frame.camera.scaled(_GRID[1], _GRID[0])
        depth = None if frame.depth is None else nearest_pixels(frame.depth, _GRID)
        if depth is not None and not depth.any():
            depth = None
        images = [np.full(_GRID, z, np.float32) for z in _UNKNOWN_DEPTHS_M] if depth is None else [depth]
        local = np.concatenate([unproject(image, camera).reshape(-1, 3) for image in images])
        points = transform_points(frame.T_world_camera, local[local[:, 2] > 0])
        return cls(frame.stamp_ns, frame.camera, frame.T_world_camera, points, depth)

    def shows(self, points: np.ndarray) -> np.ndarray:
        """Which points [N, 3] are in the image and not hidden."""
        camera = self.camera.scaled(_GRID[1], _GRID[0])
        pixels, z = project(transform_points(inverse(self.T_world_camera), points), camera)
        u, v = pixels[:, 0], pixels[:, 1]
        inside = (z > 0.05) & (u > -0.5) & (v > -0.5) & (u < camera.width - 0.5) & (v < camera.height - 0.5)
        if self.depth is None:
            return np.asarray(inside)
        column, row = np.where(inside, u, 0).round().astype(int), np.where(inside, v, 0).round().astype(int)
        near = self.depth[row, column]
        return np.asarray(inside & ((near == 0) | (z < _HIDDEN * near)))

    def shows_alike(self, other: Keyframe) -> np.ndarray:
        """Which points of another keyframe this one shows from about the same direction and distance, bool."""
        mine, its = (view.T_world_camera[:3, 3] - other.points for view in (self, other))
        far, its_far = np.linalg.norm(mine, axis=1), np.linalg.norm(its, axis=1)
        cosine = (mine * its).sum(axis=1) / np.maximum(far * its_far, 1e-9)
        ratio = far / np.maximum(its_far, 1e-9)
        alike = (cosine > np.cos(np.radians(_ALIKE_DEG))) & (ratio < _ALIKE_DISTANCE) & (ratio > 1 / _ALIKE_DISTANCE)
        return np.asarray(alike & self.shows(other.points))


class KeyframeSet:
    """The keyframes of a renderer, in the order of their places in its scene."""

    def __init__(self) -> None:
        self._frames: list[Keyframe] = []
        self._alike: list[list[np.ndarray]] = []  # [i][j]: which points of keyframe i keyframe j shows alike

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> Sequence[Keyframe]:
        """The keyframes."""
        return self._frames

    def nearest(self, frame: PosedFrame, distance_m: float, angle_deg: float) -> int | None:
        """The place of the nearest keyframe that the camera has moved away from by less than both limits, or None."""
        found: list[tuple[float, int]] = []
        for place, keyframe in enumerate(self._frames):
            metres, radians = motion_between(keyframe.T_world_camera, frame.T_world_camera)
            if metres < distance_m and np.degrees(radians) < angle_deg:
                found.append((metres / distance_m + np.degrees(radians) / angle_deg, place))
        return min(found)[1] if found else None

    def add(self, frame: PosedFrame) -> None:
        """Add a keyframe behind the others."""
        new = Keyframe.of(frame)
        for keyframe, row in zip(self._frames, self._alike, strict=True):
            row.append(new.shows_alike(keyframe))
        self._frames.append(new)
        self._alike.append([keyframe.shows_alike(new) for keyframe in self._frames])

    def remove(self, place: int) -> None:
        """Remove a keyframe; the places of later ones move up by one."""
        del self._frames[place], self._alike[place]
        for row in self._alike:
            del row[place]

    def clear(self) -> None:
        """Remove all."""
        self._frames.clear()
        self._alike.clear()

    def usefulness(self) -> np.ndarray:
        """[K] in (0, 1]: 1 if no other keyframe shows what this one shows, 1/n if n - 1 others show all of it."""
        shares = (1 / np.maximum(np.sum(row, axis=0), 1) for row in self._alike)
        return np.array([share.mean() if share.size else 0.0 for share in shares])

    def least_useful(self) -> int:
        """The place of the keyframe that is missed least: of equal ones the oldest, never the newest of all."""
        return int(self.usefulness()[:-1].argmin()) if len(self) > 1 else 0

    def any_in(self, camera: Intrinsics, T_world_camera: np.ndarray) -> bool:
        """Whether anything that a keyframe shows lies in the image of a camera."""
        points = np.concatenate([np.zeros((0, 3)), *(keyframe.points for keyframe in self._frames)])
        pixels, z = project(transform_points(inverse(T_world_camera), points), camera)
        u, v = pixels[:, 0], pixels[:, 1]
        return bool(((z > 0) & (u >= -0.5) & (v >= -0.5) & (u <= camera.width) & (v <= camera.height)).any())
