"""Class probabilities of a clicked point from the mapper's `~/query_points`, without ever waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from rclpy.node import Node
from sem_field_msgs.srv import QueryPoints

from sem_field_ros.camera_stream.topics import QUERY_POINTS, of_node
from sem_field_ros.nodes.viewer.latest_call import LatestCall
from sem_field_ros.viewer.inspection import Answer, PointProbabilities

_MISSING = "probabilities not available"


class PointQuery:
    """Asks one question at a time: a newer one replaces the one that is not yet answered."""

    def __init__(self, node: Node, mapper: str, timeout_s: float, frame_id: Callable[[], str]) -> None:
        """`frame_id` gives the frame of the points that will be asked for."""
        self._frame_id = frame_id
        self._calls = LatestCall(node, QueryPoints, of_node(mapper, QUERY_POINTS), timeout_s)

    def ask(self, position: np.ndarray, reply: Callable[[Answer], None]) -> None:
        """Ask about a position [3], metres; `reply` is called once, on the node's thread. Any thread, no waiting."""

        def request() -> QueryPoints.Request:
            asked = QueryPoints.Request()
            asked.header.frame_id = self._frame_id()
            x, y, z = map(float, position)
            asked.points = [Point(x=x, y=y, z=z)]
            return asked

        def done(response: Any, why: str) -> None:
            reply(f"{_MISSING}: {why}" if response is None else _answer(response))

        self._calls.call(request, done)


def _answer(response: Any) -> Answer:
    if not response.success:
        return f"{_MISSING}: {response.message}"
    values = np.array(response.probabilities, dtype=np.float32)
    names = tuple(response.class_names)
    if len(values) != len(names):
        return f"{_MISSING}: the answer has {len(values)} probabilities for {len(names)} classes"
    return PointProbabilities(names, values)
