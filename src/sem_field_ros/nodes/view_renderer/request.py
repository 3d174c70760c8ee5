"""RenderView requests: read and checked before anything is rendered; and their answers as messages."""

from __future__ import annotations

import array
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sem_field_msgs.srv import RenderView
from std_msgs.msg import Header

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg
from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.errors import FrameError
from sem_field_ros.fields.common.window import nearest_pixels, resized
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import pose_from_quaternion
from sem_field_ros.geometry.transform_tree import QUATERNION_TOLERANCE
from sem_field_ros.labels import LabelSet
from sem_field_ros.nodes.view_renderer.options import MAX_DEADLINE_S, ViewRendererOptions
from sem_field_ros.ros.images import image_to_msg, labels_to_msg
from sem_field_ros.surface import RenderedView

_ALL = RenderView.Request.RGB | RenderView.Request.LABELS | RenderView.Request.DEPTH | RenderView.Request.CONFIDENCE
Lookup = Callable[[str, str, int], np.ndarray]  # target, source, stamp_ns -> T_target_source


@dataclass(frozen=True)
class ViewRequest:
    """What is asked for. `arrived_s` and `due_s` are steady seconds (time.monotonic)."""

    camera: Intrinsics
    T_world_camera: np.ndarray
    wanted: int
    arrived_s: float
    due_s: float

    def left_s(self) -> float:
        """Seconds until the answer is due."""
        return self.due_s - time.monotonic()


def read_request(request: Any, options: ViewRendererOptions, lookup: Lookup, arrived_s: float) -> ViewRequest:
    """Check a RenderView request. Raises FrameError, its cause a counter's name, or TransformError."""
    deadline_s = _deadline(float(request.deadline_s), options)
    wanted = int(request.wanted) or _ALL
    if wanted & ~_ALL:
        raise FrameError(
            f"wanted is {wanted}: give a sum of 1 rgb, 2 labels, 4 depth, 8 confidence, or 0", "bad_wanted"
        )
    camera = _camera(request.camera_info, options.max_pixels)
    T_frame_camera = _pose(request.pose.pose)
    frame_id = request.pose.header.frame_id or options.global_frame
    T_world_frame = lookup(options.global_frame, frame_id, stamp_ns_of(request.pose))
    return ViewRequest(camera, T_world_frame @ T_frame_camera, wanted, arrived_s, arrived_s + deadline_s)


def fill_response(response: Any, asked: ViewRequest, view: RenderedView, labels: LabelSet, header: Header) -> None:
    """Write a view, rendered at this or a smaller size, into a RenderView response at the size that was asked for."""
    size = asked.camera.height, asked.camera.width
    if asked.wanted & RenderView.Request.RGB and view.rgb is not None:
        response.rgb = image_to_msg(resized(view.rgb, size), header, "rgb8")
    if asked.wanted & RenderView.Request.LABELS and view.labels is not None:
        response.labels = labels_to_msg(nearest_pixels(labels.to_id(view.labels), size), header)
    if asked.wanted & RenderView.Request.DEPTH and view.depth is not None:
        response.depth = image_to_msg(depth_image(view.depth, size), header, "32FC1")
    if asked.wanted & RenderView.Request.CONFIDENCE and view.confidence is not None:
        confidence = nearest_pixels(view.confidence.astype(np.float32), size)
        response.confidence = image_to_msg(confidence, header, "32FC1")
    response.label_set = labels.name
    response.class_ids = array.array("H", labels.ids.tolist())
    response.class_names = list(labels.names)
    response.coverage = float(view.covered.mean())


def depth_image(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Depth [h, w] metres, 0 = nothing, as float32 at another size with NaN for nothing."""
    return nearest_pixels(np.where(depth > 0, depth, np.nan).astype(np.float32), size)


def _deadline(deadline_s: float, options: ViewRendererOptions) -> float:
    if not 0 <= deadline_s <= MAX_DEADLINE_S:  # NaN fails too
        raise FrameError(
            f"deadline_s is {deadline_s:g}: give 0 to {MAX_DEADLINE_S:g} seconds, 0 = {options.default_deadline_s:g}",
            "bad_deadline",
        )
    return deadline_s or options.default_deadline_s


def _camera(msg: Any, max_pixels: int) -> Intrinsics:
    if msg.width == 0 or msg.height == 0:
        raise FrameError(f"camera_info is {msg.width}x{msg.height} pixels: give the size of the view", "bad_size")
    camera = intrinsics_from_msg(msg)
    if camera.width * camera.height > max_pixels:
        raise FrameError(
            f"{camera.width}x{camera.height} pixels are more than max_pixels, {max_pixels}: ask for a smaller view",
            "bad_size",
        )
    return camera


def _pose(pose: Any) -> np.ndarray:
    p, q = pose.position, pose.orientation
    T = pose_from_quaternion(np.array([p.x, p.y, p.z]), xyzw := np.array([q.x, q.y, q.z, q.w]), "pose")
    length = math.sqrt(float(xyzw @ xyzw))
    if not abs(length**2 - 1) < QUATERNION_TOLERANCE:
        raise FrameError(f"pose.orientation has length {length:.3g}: give a unit quaternion", "bad_pose")
    return T
