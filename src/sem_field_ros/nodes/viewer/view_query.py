"""Rendered views of the browser's camera from the view renderer's `~/render_view`, without ever waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.node import Node
from sem_field_msgs.srv import RenderView
from std_msgs.msg import Header

from sem_field_ros.camera_stream.images import color_from_msg, labels_from_msg
from sem_field_ros.camera_stream.topics import RENDER_VIEW, of_node
from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import quaternion_from_pose
from sem_field_ros.nodes.viewer.latest_call import LatestCall
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.viewer.rendered_view import ShownView, ViewAnswer

_MISSING = "no view"
_GRACE_S = 3.0  # after the deadline: a renderer that is late is waited for


class ViewQuery:
    """Asks for one view at a time: a newer one replaces the one that is not yet answered."""

    def __init__(self, node: Node, renderer: str, deadline_s: float, frame_id: Callable[[], str]) -> None:
        """`frame_id` gives the frame of the poses that will be asked for."""
        self._frame_id, self._deadline_s = frame_id, deadline_s
        self._calls = LatestCall(node, RenderView, of_node(renderer, RENDER_VIEW), deadline_s + _GRACE_S)

    def ask(self, camera: Intrinsics, T_world_camera: np.ndarray, reply: Callable[[ViewAnswer], None]) -> None:
        """Ask for a camera's view; `reply` is called once, on the node's thread. Any thread, no waiting."""

        def request() -> RenderView.Request:
            asked = RenderView.Request(deadline_s=self._deadline_s)
            asked.wanted = RenderView.Request.RGB | RenderView.Request.LABELS
            asked.pose.header.frame_id = self._frame_id()
            position, q = asked.pose.pose.position, asked.pose.pose.orientation
            position.x, position.y, position.z = map(float, T_world_camera[:3, 3])
            q.x, q.y, q.z, q.w = map(float, quaternion_from_pose(T_world_camera))
            asked.camera_info = camera_info_to_msg(camera, Header())
            return asked

        def done(response: Any, why: str) -> None:
            reply(_answer(response) if response is not None else _why_not(why))

        self._calls.call(request, done)


def _why_not(why: str) -> str:
    if why.startswith("there is no service"):
        return f"no view renderer running ({why}): start bringup with render_views:=true"
    return f"{_MISSING}: {why}"


def _answer(response: Any) -> ViewAnswer:
    if not response.success:
        return f"{_MISSING}: {response.message}"
    try:
        rgb, ids = color_from_msg(response.rgb), labels_from_msg(response.labels)
    except FrameError as error:
        return f"{_MISSING}: {error}"
    names = dict(zip(list(response.class_ids), list(response.class_names), strict=False))
    text = f"{response.message} ({response.time_s:.2f} s); {100 * response.coverage:.0f} % of it known"
    return ShownView(rgb, ids, names, text)
