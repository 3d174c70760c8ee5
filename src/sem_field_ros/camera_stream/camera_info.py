"""sensor_msgs/CameraInfo -> Intrinsics, for messages of rclpy and of rosbags."""

from __future__ import annotations

from typing import Any

import numpy as np

from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import Intrinsics


def intrinsics_from_msg(msg: Any, rectified: bool = False) -> Intrinsics:
    """Return the pinhole intrinsics of the images that come with a CameraInfo; binning and region are applied.

    Uses K, or with `rectified` the left 3x3 of P (image_rect topics). Raises FrameError (cause `bad_intrinsics`).
    """
    matrix = np.asarray(msg.p, dtype=np.float64).reshape(3, 4)[:, :3] if rectified else np.asarray(msg.k, np.float64)
    if matrix.size != 9:
        raise FrameError(f"CameraInfo.k has {matrix.size} values instead of 9", cause="bad_intrinsics")
    fx, _, cx, _, fy, cy = (float(v) for v in matrix.reshape(-1)[:6])
    roi = msg.roi
    cropped = roi.width > 0 and roi.height > 0
    width, height = (roi.width, roi.height) if cropped else (msg.width, msg.height)
    if cropped:
        cx, cy = cx - roi.x_offset, cy - roi.y_offset
    bin_x, bin_y = max(1, msg.binning_x), max(1, msg.binning_y)
    full = Intrinsics(fx, fy, cx, cy, int(width), int(height))
    return full.scaled(int(width) // bin_x, int(height) // bin_y)


def is_distorted(msg: Any) -> bool:
    """Whether a CameraInfo describes lens distortion. It is not undone: use rectified topics."""
    return bool(np.any(np.abs(np.asarray(msg.d, dtype=np.float64)) > 1e-6))
