"""Class probabilities of a clicked point from the mapper's `~/query_points`, without ever waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from sem_field_msgs.srv import QueryPoints

from sem_field_ros.camera_stream.topics import QUERY_POINTS, of_node
from sem_field_ros.viewer.inspection import Answer, PointProbabilities

_MISSING = "probabilities not available"


class PointQuery:
    """Asks one question at a time: a newer one replaces the one that is not yet answered."""

    def __init__(self, node: Node, mapper: str, timeout_s: float, frame_id: Callable[[], str]) -> None:
        """`frame_id` gives the frame of the points that will be asked for."""
        self._node, self._timeout_s, self._frame_id = node, timeout_s, frame_id
        self._service = of_node(mapper, QUERY_POINTS)
        self._client: Client = node.create_client(QueryPoints, self._service)
        self._lock = threading.Lock()  # guards what other threads touch: question
        self._question: tuple[np.ndarray, Callable[[Answer], None]] | None = None
        self._wake = node.create_guard_condition(self._send)
        self._future: Future | None = None
        self._reply: Callable[[Answer], None] = lambda answer: None
        # by the wall's clock: the ROS clock stands still while a recording is paused
        self._timer = node.create_timer(timeout_s, self._give_up, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()

    def ask(self, position: np.ndarray, reply: Callable[[Answer], None]) -> None:
        """Ask about a position [3], metres; `reply` is called once, on the node's thread. Any thread, no waiting."""
        with self._lock:
            self._question = (position, reply)
        self._wake.trigger()

    # --- on the node's thread

    def _send(self) -> None:
        with self._lock:
            question, self._question = self._question, None
        if question is None:
            return
        self._drop()
        position, self._reply = question
        if not self._client.service_is_ready():
            self._reply(f"{_MISSING}: there is no service {self._service}")
            return
        request = QueryPoints.Request()
        request.header.frame_id = self._frame_id()
        x, y, z = map(float, position)
        request.points = [Point(x=x, y=y, z=z)]
        self._future = self._client.call_async(request)
        self._timer.reset()
        self._future.add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        if future is not self._future:  # given up
            return
        self._timer.cancel()
        self._future = None
        response = future.result()
        self._reply(_answer(response) if response is not None else f"{_MISSING}: {future.exception()}")

    def _give_up(self) -> None:
        if self._future is not None:
            self._drop()
            self._reply(f"{_MISSING}: {self._service} did not answer within {self._timeout_s:g} s")

    def _drop(self) -> None:
        self._timer.cancel()
        if self._future is not None:
            self._client.remove_pending_request(self._future)
            self._future = None


def _answer(response: Any) -> Answer:
    if not response.success:
        return f"{_MISSING}: {response.message}"
    values = np.array(response.probabilities, dtype=np.float32)
    names = tuple(response.class_names)
    if len(values) != len(names):
        return f"{_MISSING}: the answer has {len(values)} probabilities for {len(names)} classes"
    return PointProbabilities(names, values)
