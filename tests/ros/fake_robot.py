"""A robot for tests: publishes the wall scene of tests/mapping/scene.py as a camera with TF would, and listens."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.images import image_to_msg
from sem_field_ros.ros.qos import latched_qos, tf_qos, tf_static_qos
from sem_field_ros.ros.transforms import transform_to_msg

CAMERA = Intrinsics(80, 80, 39.5, 29.5, 80, 60)
CAMERA_FRAME = "camera_color_optical_frame"
WALL_Z = 1.5
CHAIR, TABLE = 5, 7  # ids of scannet20: the wall's left and right half
PERIOD_NS = 50_000_000
FIRST_STAMP_NS = 100_000_000_000


def wall_images(x: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour [60, 80, 3], depth [60, 80] metres, label ids [60, 80] of a camera at (x, 0, 0) looking along z."""
    wall_x = np.broadcast_to(x + (np.arange(80) - CAMERA.cx) / CAMERA.fx * WALL_Z, (60, 80))
    color = np.where((wall_x > 0)[..., None], np.uint8([0, 0, 255]), np.uint8([255, 0, 0])).astype(np.uint8)
    return color, np.full((60, 80), WALL_Z, np.float32), np.where(wall_x > 0, TABLE, CHAIR).astype(np.uint8)


class FakeRobot:
    """Publishes frames one by one; `say` takes replacements for any message, to inject faults."""

    def __init__(self, node: Node, with_odom: bool = True) -> None:
        self.node = node
        self.frames = itertools.count()
        self.stamp_ns = FIRST_STAMP_NS
        self.with_odom = with_odom
        self.T_map_odom = np.eye(4)
        self._color = node.create_publisher(Image, "camera/color/image_raw", 10)
        self._info = node.create_publisher(CameraInfo, "camera/color/camera_info", 10)
        self._depth = node.create_publisher(Image, "camera/depth/image_raw", 10)
        self._labels = node.create_publisher(Image, "camera/label/image_raw", 10)
        self._tf = node.create_publisher(TFMessage, "/tf", tf_qos())
        self._tf_static = node.create_publisher(TFMessage, "/tf_static", tf_static_qos())
        if with_odom:
            static = transform_to_msg("base_link", CAMERA_FRAME, 0, np.eye(4))
            self._tf_static.publish(TFMessage(transforms=[static]))

    def ready(self) -> bool:
        """Whether the mapper listens to every topic."""
        publishers = (self._color, self._info, self._depth, self._labels, self._tf)
        return all(p.get_subscription_count() > 0 for p in publishers)

    def next_stamp(self) -> int:
        """Advance the camera's clock by one frame."""
        self.stamp_ns += PERIOD_NS
        return self.stamp_ns

    def header(self, stamp_ns: int, frame_id: str = CAMERA_FRAME) -> Header:
        header = Header(frame_id=frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        return header

    def transforms(self, stamp_ns: int, x: float) -> list[TransformStamped]:
        """map -> odom -> base_link (-> camera), or map -> camera without odometry; the camera is at (x, 0, 0)."""
        T = np.eye(4)
        T[0, 3] = x
        if not self.with_odom:
            return [transform_to_msg("map", CAMERA_FRAME, stamp_ns, T)]
        return [
            transform_to_msg("map", "odom", stamp_ns, self.T_map_odom),
            transform_to_msg("odom", "base_link", stamp_ns, inverse(self.T_map_odom) @ T),
        ]

    def say_tf(self, stamp_ns: int, x: float = 0.0) -> None:
        self._tf.publish(TFMessage(transforms=self.transforms(stamp_ns, x)))

    def say_transforms(self, transforms: list[TransformStamped]) -> None:
        self._tf.publish(TFMessage(transforms=transforms))

    def say(self, x: float | None = None, stamp_ns: int | None = None, tf: bool = True, **instead: Any) -> int:
        """Publish one frame, its camera at (x, 0, 0); returns its stamp.

        `instead` replaces messages: color, info, depth, labels (None: not published) or changes them where callable.
        """
        x = 0.02 * (next(self.frames) % 10) if x is None else x
        stamp_ns = self.next_stamp() if stamp_ns is None else stamp_ns
        header = self.header(stamp_ns)
        color, depth, labels = wall_images(x)
        messages = {
            "info": camera_info_to_msg(CAMERA, header),
            "depth": image_to_msg(depth, header, "32FC1"),
            "labels": image_to_msg(labels, header, "mono8"),
            "color": image_to_msg(color, header, "rgb8"),
        }
        publishers = {"info": self._info, "depth": self._depth, "labels": self._labels, "color": self._color}
        if tf:
            self.say_tf(stamp_ns, x)
        for name, message in messages.items():
            change = instead.get(name, message)
            if callable(change):
                message = change(message) or message
            elif name in instead:
                message = change
            if message is not None:
                publishers[name].publish(message)
        return stamp_ns


class MapperListener:
    """Subscribes to what the mapper publishes and reads its diagnostics."""

    def __init__(self, node: Node, name: str = "semantic_mapper", cloud: bool = True) -> None:
        self.clouds: list[PointCloud2] = []
        self.values: dict[str, str] = {}
        self.levels: dict[str, tuple[int, str]] = {}
        self.diagnostics = 0
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        if cloud:
            node.create_subscription(PointCloud2, f"/{name}/semantic_cloud", self._on_cloud, latched_qos())

    def _on_cloud(self, msg: PointCloud2) -> None:
        self.clouds = [*self.clouds[-20:], msg]

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self.diagnostics += 1
        self.values = {pair.key: pair.value for status in msg.status for pair in status.values}
        self.levels = {s.name.split(": ")[1]: (s.level[0], s.message) for s in msg.status}

    def count(self, key: str) -> int:
        """One counter of the diagnostics, 0 where it is not there."""
        return int(float(self.values.get(key, 0)))
