"""Node `viewer`: the mapper's cloud, mesh, labels and diagnostics, the camera's image and path, on a web page.

Cloud, mesh and image are subscribed to only while a browser is connected, so that a viewer without one costs the other
nodes nothing. Callbacks only keep the newest message; the page decodes and draws at its own rate.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from vision_msgs.msg import LabelInfo
from visualization_msgs.msg import MarkerArray

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg
from sem_field_ros.camera_stream.images import color_from_msg
from sem_field_ros.camera_stream.label_info import names_from_msg
from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.camera_stream.topics import (
    DIAGNOSTICS_TOPIC,
    LABEL_INFO,
    LABEL_OVERLAY,
    SEMANTIC_CLOUD,
    SEMANTIC_MESH,
    of_node,
)
from sem_field_ros.errors import FrameError, SemFieldError
from sem_field_ros.exit_codes import DONE, REFUSED
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_ros.nodes.viewer.point_query import PointQuery
from sem_field_ros.nodes.viewer.sources import ViewerSources
from sem_field_ros.nodes.viewer.view_query import ViewQuery
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.mapper_status import mapper_status
from sem_field_ros.ros.marker_reader import mesh_update_from_bytes
from sem_field_ros.ros.parameters import declare_settings, settings_from_node
from sem_field_ros.ros.qos import image_qos, latched_qos
from sem_field_ros.ros.spinning import spin_to_end, start_node
from sem_field_ros.ros.transforms import LATEST, TransformBuffer, TransformError
from sem_field_ros.viewer.config import ViewerConfig
from sem_field_ros.viewer.mesh_chunks import Triangles
from sem_field_ros.viewer.page import ViewerPage
from sem_field_ros.viewer.points import LabelledPoints

_WATCH_S = 0.5  # how often browsers are counted
_LINGER_S = 5.0  # subscriptions outlive the last browser by this, so that a reload keeps them
_CLOCK_JUMP_NS = 1_000_000_000  # camera stamps that go back by more than this: a looped recording


class Viewer(Node):
    """Feeds a ViewerPage from topics. Raises SemFieldError where a parameter does not fit."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("viewer", **kwargs)
        for settings in (ViewerConfig, ViewerSources):
            declare_settings(self, settings)
        self._config = settings_from_node(self, ViewerConfig)
        self._sources = settings_from_node(self, ViewerSources)
        labels = load_label_set(self._sources.label_set) if self._sources.label_set else None
        self._frame = self._cloud_frame = self._sources.global_frame or "map"
        query = PointQuery(self, self._sources.mapper, self._sources.query_timeout_s, lambda: self._cloud_frame)
        views = ViewQuery(self, self._sources.renderer, self._sources.view_deadline_s, lambda: self._cloud_frame)
        self.page = ViewerPage(
            self._config,
            labels,
            title=f"sem_field · {self._sources.mapper}",
            ask=query.ask,
            ask_view=views.ask,
            tell=lambda hint: self.get_logger().info(hint),
        )
        self.page.set_frame(self._cloud_frame)
        self._camera_frame = ""
        self._camera: Intrinsics | None = None
        self._camera_stamp_ns = 0
        self._watched: list[Subscription] = []
        self._overlay = False
        self._last_browser_s = -_LINGER_S
        self._transforms = TransformBuffer(self)
        self._listen_always()
        clock = Clock(clock_type=ClockType.STEADY_TIME)  # browsers come and go while a recording is paused, too
        self.create_timer(_WATCH_S, self._watch_browsers, clock=clock)
        self.create_timer(1.0 / self._config.camera_rate_hz, self._follow_camera, clock=clock)
        self.get_logger().info(f"open {self.page.url} in a browser")

    def destroy_node(self) -> None:
        """Close the page and end the node."""
        self.page.close()
        super().destroy_node()

    # --- subscriptions

    def _listen_always(self) -> None:
        s = self._sources
        self.create_subscription(LabelInfo, of_node(s.mapper, LABEL_INFO), self._on_label_info, latched_qos())
        self.create_subscription(DiagnosticArray, DIAGNOSTICS_TOPIC, self._on_diagnostics, 10)
        self.create_subscription(CameraInfo, s.camera_info_topic, self._on_camera_info, image_qos(depth=1))

    def _watch_browsers(self) -> None:
        now = time.monotonic()
        if self.page.browsers:
            self._last_browser_s = now
        looked_at = now - self._last_browser_s < _LINGER_S
        if looked_at and self._watched and self.page.wants_overlay != self._overlay:
            self.destroy_subscription(self._watched.pop())
            self._watched.append(self._listen_image())
        elif looked_at and not self._watched:
            self._listen_watched()
        elif not looked_at and self._watched:
            for subscription in self._watched:
                self.destroy_subscription(subscription)
            self._watched = []

    def _listen_watched(self) -> None:
        mapper = self._sources.mapper
        self.page.update_mesh({}, clear=True)  # the mapper sends everything to a new subscriber
        self._watched = [
            self._listen(PointCloud2, of_node(mapper, SEMANTIC_CLOUD), self._on_cloud, latched_qos()),
            self._listen(MarkerArray, of_node(mapper, SEMANTIC_MESH), self._on_mesh, latched_qos(depth=20)),
        ]
        if self._config.image_rate_hz > 0:
            self._watched.append(self._listen_image())  # the last one: it is exchanged alone

    def _listen_image(self) -> Subscription:
        self._overlay = self.page.wants_overlay
        topic = of_node(self._sources.mapper, LABEL_OVERLAY) if self._overlay else self._sources.image_topic
        kind = CompressedImage if topic.endswith("/compressed") else Image
        return self._listen(kind, topic, lambda data: self._on_image(kind, data), image_qos(depth=1))

    def _listen(self, kind: type, topic: str, callback: Callable[[bytes], None], qos: Any) -> Subscription:
        """Subscribe to serialised messages: one that is never shown is never deserialised."""
        return self.create_subscription(kind, topic, callback, qos, raw=True)

    # --- messages

    def _on_cloud(self, data: bytes) -> None:
        def decode() -> LabelledPoints:
            msg = deserialize_message(data, PointCloud2)
            self._take_frame(msg.header.frame_id)
            return _points_of(cloud_from_msg(msg))

        self.page.offer_cloud(decode)

    def _take_frame(self, frame_id: str) -> None:
        if frame_id and frame_id != self._cloud_frame:
            self._cloud_frame = frame_id
            self.page.set_frame(frame_id)
        if not self._sources.global_frame:
            self._frame = self._cloud_frame

    def _on_mesh(self, data: bytes) -> None:
        try:
            update = mesh_update_from_bytes(data)
        except FrameError as error:
            self.page.note("mesh message", str(error))
            return
        self.page.note("mesh message", "")
        self.page.update_mesh({k: Triangles(*v) for k, v in update.changed.items()}, update.removed, update.clear)

    def _on_image(self, kind: type, data: bytes) -> None:
        width = self._config.image_width
        self.page.offer_image(lambda: _shrunk(color_from_msg(deserialize_message(data, kind)), width))

    def _on_label_info(self, msg: LabelInfo) -> None:
        self.page.set_names(names_from_msg(msg))

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        status = mapper_status(msg, self.resolve_topic_name(self._sources.mapper))
        if status is not None:
            self.page.set_counters(status.counters)
            self.page.note("mapper", status.problem)

    def _on_camera_info(self, msg: CameraInfo) -> None:
        stamp_ns = stamp_ns_of(msg)
        if stamp_ns < self._camera_stamp_ns - _CLOCK_JUMP_NS:
            self._transforms.clear()
        self._camera_stamp_ns = stamp_ns
        self._camera_frame = msg.header.frame_id
        try:
            self._camera = intrinsics_from_msg(msg)
        except FrameError as error:
            self.page.note("camera_info", str(error))

    def _follow_camera(self) -> None:
        if not self._camera_frame:
            return
        try:
            pose = self._transforms.lookup(self._frame, self._camera_frame, LATEST)
        except TransformError as error:
            self.page.note("camera", f"camera pose: {error}")
        except FrameError as error:
            self.page.note("camera", str(error))
        else:
            self.page.note("camera", "")
            self.page.set_pose(pose, self._camera)


def _points_of(fields: dict[str, np.ndarray]) -> LabelledPoints:
    missing = {"points", "label"} - fields.keys()
    if missing:
        raise FrameError("the cloud has no x, y, z and label: is it a semantic_cloud?", cause="bad_cloud")
    points = fields["points"]
    grey = np.full((len(points), 3), 160, np.uint8)
    return LabelledPoints.from_arrays(points, fields.get("rgb", grey), fields["label"], fields.get("confidence"))


def _shrunk(image: np.ndarray, width: int) -> np.ndarray:
    if image.shape[1] <= width:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def main(args: list[str] | None = None, while_open: Callable[[ViewerPage], None] | None = None) -> int:
    """Entry point of `ros2 run sem_field_ros viewer` and of `sem-field view`; ends when `while_open` returns."""
    node = start_node("viewer", Viewer, args)
    if node is None:
        return REFUSED
    failed: list[SemFieldError] = []
    if while_open is not None:
        threading.Thread(target=_run_and_end, args=(while_open, node.page, failed), daemon=True).start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        spin_to_end(executor)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if failed:
        raise failed[0]
    return DONE


def _run_and_end(job: Callable[[ViewerPage], None], page: ViewerPage, failed: list[SemFieldError]) -> None:
    try:
        job(page)
    except SemFieldError as error:
        failed.append(error)
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
