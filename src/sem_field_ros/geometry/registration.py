"""Registration of depth: a depth image as another camera beside it sees it."""

from __future__ import annotations

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics, project, unproject
from sem_field_ros.geometry.poses import transform_points


def register_depth(
    depth: np.ndarray, depth_camera: Intrinsics, color_camera: Intrinsics, T_color_depth: np.ndarray
) -> np.ndarray:
    """Depth [h, w] (metres along z, 0 invalid) of `depth_camera` -> depth [H, W] float32 of `color_camera`, 0 unseen.

    Each depth pixel goes to the colour pixel its point falls into; where several do, the nearest stays. Pixels that
    no point falls into stay empty: the colour camera should have no finer a grid than the depth camera.
    T_color_depth  4x4, depth camera frame to colour camera frame, metres
    """
    points = unproject(depth, depth_camera)[depth > 0]
    pixels, z = project(transform_points(T_color_depth, points), color_camera)
    column, row = np.rint(pixels).astype(np.int64).T
    inside = (z > 0) & (column >= 0) & (column < color_camera.width) & (row >= 0) & (row < color_camera.height)
    registered = np.full((color_camera.height, color_camera.width), np.inf, np.float32)
    np.minimum.at(registered, (row[inside], column[inside]), z[inside].astype(np.float32))
    return np.where(np.isfinite(registered), registered, np.float32(0))
