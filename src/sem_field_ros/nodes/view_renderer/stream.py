"""The virtual camera: views from a TF frame that moves, as image topics; rendered only for subscribers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import LabelInfo

from sem_field_ros.camera_stream.topics import (
    LABEL_INFO,
    VIEW_CAMERA_INFO,
    VIEW_COLOR,
    VIEW_DEPTH,
    VIEW_LABELS,
    VIEW_OVERLAY,
    own,
)
from sem_field_ros.fields.common.window import nearest_pixels, resized
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.nodes.view_renderer.options import ViewRendererOptions
from sem_field_ros.nodes.view_renderer.request import depth_image
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.images import blend, image_to_msg, labels_to_msg
from sem_field_ros.ros.label_info import label_info_to_msg
from sem_field_ros.ros.lazy_publisher import LazyPublisher
from sem_field_ros.ros.qos import image_qos, latched_qos
from sem_field_ros.surface import RenderedView

_REST = 2.0  # the pause after a view, in multiples of its duration: keyframes and requests come first


class VirtualCamera:
    """Publishers of the virtual camera's images, and when the next view is due. For the rendering thread."""

    def __init__(self, node: LifecycleNode, labels: LabelSet, on_demand: Callable[[], None]) -> None:
        self._node, self._labels = node, labels
        self._due_s = 0.0  # steady seconds
        self._shown: tuple[Intrinsics, bytes, int] | None = None  # camera, pose, number of keyframes of the last view
        topics = (VIEW_COLOR, VIEW_LABELS, VIEW_OVERLAY, VIEW_DEPTH)
        qos = image_qos("reliable")
        self._images = {topic: LazyPublisher(node, Image, own(topic), qos, on_demand) for topic in topics}
        self._camera_info = LazyPublisher(node, CameraInfo, own(VIEW_CAMERA_INFO), qos, on_demand)
        self.label_info = LazyPublisher(node, LabelInfo, own(LABEL_INFO), latched_qos(), lambda: None)

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in (*self._images.values(), self._camera_info, self.label_info):
            publisher.close()

    def publish_label_info(self, frame_id: str) -> None:
        """Publish what the ids mean, latched."""
        header = Header(frame_id=frame_id, stamp=self._node.get_clock().now().to_msg())
        self.label_info.publish(label_info_to_msg(self._labels, header))

    def due_in(self, options: ViewRendererOptions) -> float | None:
        """Seconds until a view is due, 0 = now; None without a frame to follow or without subscribers."""
        if not options.virtual_camera_frame or not any(image.wanted for image in self._images.values()):
            self._shown = None
            return None
        return max(0.0, self._due_s - time.monotonic())

    def has_news(self, camera: Intrinsics, T_world_camera: np.ndarray, keyframes: int) -> bool:
        """Whether this view would differ from the last one, or somebody has not seen that one."""
        newcomers = [topic.take_newcomers() for topic in (*self._images.values(), self._camera_info)]
        view = camera, T_world_camera.round(6).tobytes(), keyframes
        if view == self._shown and not any(newcomers):
            return False
        self._shown = view
        return True

    def wait(self, options: ViewRendererOptions, took_s: float = 0.0) -> float:
        """Seconds until the next view, after one that took `took_s`: by the rate, and by what views cost."""
        pause_s = max(1 / options.view_rate_hz - took_s, _REST * took_s)
        self._due_s = time.monotonic() + pause_s
        return pause_s

    def publish(self, view: RenderedView, camera: Intrinsics, header: Header, opacity: float) -> None:
        """Publish a view, at this or a smaller size, to those who subscribed."""
        size = camera.height, camera.width
        rgb = None if view.rgb is None else resized(view.rgb, size)
        index = None if view.labels is None else nearest_pixels(view.labels, size)
        if rgb is not None:
            self._publish(VIEW_COLOR, lambda: image_to_msg(rgb, header, "rgb8"))
        if index is not None:
            self._publish(VIEW_LABELS, lambda: labels_to_msg(self._labels.to_id(index), header))
        if rgb is not None and index is not None:
            over = np.where((index >= 0)[..., None], self._labels.to_color(index), rgb)
            self._publish(VIEW_OVERLAY, lambda: image_to_msg(blend(rgb, over, opacity), header, "rgb8"))
        depth = view.depth
        if depth is not None:
            self._publish(VIEW_DEPTH, lambda: image_to_msg(depth_image(depth, size), header, "32FC1"))
        if self._camera_info.wanted:
            self._camera_info.publish(camera_info_to_msg(camera, header))

    def _publish(self, topic: str, make: Callable[[], Image]) -> None:
        if self._images[topic].wanted:
            self._images[topic].publish(make())


def virtual_camera(options: ViewRendererOptions) -> Intrinsics:
    """The pinhole camera of the options: width, height, horizontal field of view."""
    width, height = options.view_width, options.view_height
    focal = width / 2 / math.tan(math.radians(options.view_fov_deg) / 2)
    return Intrinsics(focal, focal, width / 2 - 0.5, height / 2 - 0.5, width, height)
