"""Services of the view renderer: render_view, reset, pause. Rendering goes to the session's thread."""

from __future__ import annotations

import time
import traceback
from typing import Any

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from sem_field_msgs.srv import RenderView
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from sem_field_ros.camera_stream.topics import RENDER_VIEW, own
from sem_field_ros.errors import FrameError, SemFieldError
from sem_field_ros.geometry.transform_tree import TransformError
from sem_field_ros.nodes.view_renderer.request import ViewRequest, fill_response, read_request
from sem_field_ros.nodes.view_renderer.session import PendingView, Rendering, RenderingSession
from sem_field_ros.nodes.view_renderer.statistics import ViewStatistics
from sem_field_ros.nodes.worker import WorkerError
from sem_field_ros.ros.qos import service_qos

_ANSWER_S = 0.03  # making the answer's messages; taken off the time for rendering
_POLL_S = 0.02


class ViewServices:
    """Exists while the node is configured. Each answer reports what was done, or why not and what to do."""

    def __init__(
        self, node: LifecycleNode, session: RenderingSession, statistics: ViewStatistics, group: CallbackGroup
    ) -> None:
        self._node, self._session, self._statistics = node, session, statistics
        self._services = [
            node.create_service(
                RenderView, own(RENDER_VIEW), self._render_view, qos_profile=service_qos(), callback_group=group
            ),
            node.create_service(Trigger, "~/reset", self._reset, callback_group=group),
            node.create_service(SetBool, "~/pause", self._pause, callback_group=group),
        ]

    def close(self) -> None:
        """Withdraw the services."""
        for service in self._services:
            self._node.destroy_service(service)
        self._services = []

    def _reset(self, request: Any, response: Any) -> Any:
        try:
            self._session.worker.call(self._session.reset, self._session.options.service_timeout_s, "reset")
            response.success, response.message = True, "no keyframes are left"
        except SemFieldError as error:
            response.message = str(error)
        return response

    def _pause(self, request: Any, response: Any) -> Any:
        self._session.set_paused(request.data)
        response.success = True
        response.message = "no new keyframes" if request.data else "keyframes are taken again"
        return response

    def _render_view(self, request: Any, response: Any) -> Any:
        arrived_s = time.monotonic()
        try:
            self._answer(request, response, arrived_s)
            response.success = True
        except FrameError as error:
            self._refuse(response, error.cause, str(error))
        except WorkerError as error:
            self._refuse(response, "busy", str(error))
        except Exception as error:  # noqa: BLE001 (an exception here would end the node)
            self._refuse(response, "internal_error", f"render_view failed: {type(error).__name__}: {error}")
            self._node.get_logger().error(response.message + "\n" + traceback.format_exc())
        response.time_s = time.monotonic() - arrived_s
        return response

    def _refuse(self, response: Any, cause: str, message: str) -> None:
        response.message = message
        self._statistics.refused(cause)

    def _answer(self, request: Any, response: Any, arrived_s: float) -> None:
        session = self._session
        asked = read_request(request, session.options, self._lookup, arrived_s)
        rendering = self._rendered(asked)
        header = Header(frame_id=request.pose.header.frame_id or session.options.global_frame)
        header.stamp = request.pose.header.stamp
        fill_response(response, asked, rendering.view, session.labels, header)
        response.coarseness = rendering.coarseness
        took_s, deadline_s = time.monotonic() - arrived_s, asked.due_s - asked.arrived_s
        self._statistics.answered(rendering.coarseness, took_s, deadline_s)
        response.message = _described(asked, rendering, took_s, deadline_s)

    def _rendered(self, asked: ViewRequest) -> Rendering:
        """The finest rendering that is ready when the answer is due. Raises FrameError or WorkerError."""
        pending = PendingView()
        try:
            left_s = max(asked.left_s() - _ANSWER_S, 0.001)
            self._session.worker.call(lambda: self._session.render(asked, pending), left_s, RENDER_VIEW)
        except WorkerError:
            pass  # the time is over: what there is by now, or the first view, late
        rendering = pending.take(self._session.options.service_timeout_s)
        if rendering is None:
            seconds = asked.due_s - asked.arrived_s
            raise FrameError(
                f"the renderer was busy for all of the {seconds:.2g} s; try again or raise deadline_s", "busy"
            )
        return rendering

    def _lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """As TransformBuffer.lookup, but waits for a transform that may still come (the pose's stamp is now)."""
        end_s = time.monotonic() + self._session.options.transform_tolerance_s
        while True:
            try:
                return self._session.transforms.lookup(target, source, stamp_ns)
            except TransformError as error:
                if error.cause != "tf_extrapolation" or not error.retry or time.monotonic() > end_s:
                    raise
            time.sleep(_POLL_S)


def _described(asked: ViewRequest, rendering: Rendering, took_s: float, deadline_s: float) -> str:
    height, width = rendering.view.covered.shape
    text = f"rendered {width}x{height}"
    if rendering.coarseness > 1:
        text += f", enlarged to {asked.camera.width}x{asked.camera.height}"
    if took_s > deadline_s:
        text += f"; late: {took_s:.2g} s instead of {deadline_s:.2g} s"
    return text
