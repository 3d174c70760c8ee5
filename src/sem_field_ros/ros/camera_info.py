"""Intrinsics -> sensor_msgs CameraInfo. Back: camera_stream/camera_info.py."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from sem_field_ros.geometry.camera import Intrinsics


def camera_info_to_msg(camera: Intrinsics, header: Header) -> CameraInfo:
    """Return the CameraInfo of an undistorted, rectified camera."""
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    msg = CameraInfo(header=header, height=camera.height, width=camera.width)
    msg.distortion_model = "plumb_bob"
    msg.d = [0.0] * 5
    msg.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    msg.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    msg.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return msg
