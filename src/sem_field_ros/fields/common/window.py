"""The frame a window of views is encoded in: its reference camera, levelled, looking along x.

The observed space then fills the same part of the volume, so the network need not learn rotations of rooms.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from sem_field_ros.geometry.poses import inverse, motion_between

_STEP_M, _STEP_DEG = 0.1, 15.0  # camera motions of equal distance
_STEEP = 0.2  # horizontal part of a unit view direction below which "forward" is the image's upper edge


def level_frame(T_world_camera: np.ndarray) -> np.ndarray:
    """T_world_window [4, 4] of a reference camera: origin in its centre, x forward, z up as the world's z."""
    forward = T_world_camera[:3, 2]
    if np.hypot(forward[0], forward[1]) < _STEEP:  # looks down (or up): the image's upper edge points ahead (behind)
        forward = -T_world_camera[:3, 1] * (1 if forward[2] < 0 else -1)
    x = np.array([forward[0], forward[1], 0.0])
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.stack([x, np.cross([0.0, 0.0, 1.0], x), [0.0, 0.0, 1.0]], axis=1)
    T[:3, 3] = T_world_camera[:3, 3]
    return T


def camera_from_window(T_world_camera: np.ndarray, T_world_window: np.ndarray) -> Tensor:
    """T_camera_window [..., 4, 4] float32 of cameras [..., 4, 4]."""
    poses = np.asarray(T_world_camera).reshape(-1, 4, 4)
    relative = np.stack([inverse(T) @ T_world_window for T in poses])
    return torch.from_numpy(relative.astype(np.float32)).reshape(*np.shape(T_world_camera))


def volume_center(side_m: float) -> Tensor:
    """Centre [3] of the cube before the reference camera, in the window's frame: half a side ahead."""
    return torch.tensor([0.5 * side_m, 0.0, 0.0])


def image_of_width(color: np.ndarray, width: int) -> np.ndarray:
    """RGB [H, W, 3] reduced (or enlarged) to a width, aspect kept."""
    if color.shape[1] == width:
        return color
    size = width, max(8, round(color.shape[0] * width / color.shape[1]))
    shrinks = width < color.shape[1]
    return cv2.resize(color, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image [h, w, 3] uint8 at another size (height, width), mixing neighbours."""
    return image if image.shape[:2] == size else cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


def nearest_pixels(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels [h, w] nearest to the centres of an image of another size: depth and labels must not be mixed."""
    rows = ((np.arange(size[0]) + 0.5) * image.shape[0] / size[0]).astype(np.int64)
    columns = ((np.arange(size[1]) + 0.5) * image.shape[1] / size[1]).astype(np.int64)
    return image[rows[:, None], columns]


def nearest_views(T_world_camera: np.ndarray, T_world_sources: Sequence[np.ndarray], count: int) -> list[int]:
    """Indices of the `count` sources nearest to a camera, the nearest first; 10 cm are as far as 15 degrees."""
    steps = []
    for T in T_world_sources:
        distance, angle = motion_between(T, T_world_camera)
        steps.append(distance / _STEP_M + np.degrees(angle) / _STEP_DEG)
    return [int(i) for i in np.argsort(steps, kind="stable")[:count]]
