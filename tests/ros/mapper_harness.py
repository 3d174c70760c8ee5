"""Runs the real mapper node on an executor thread of its own DDS domain, with a fake robot beside it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from sem_field_ros.nodes.camera_node import CameraNode
from sem_field_ros.nodes.mapper.node import SemanticMapper
from tests.ros.domains import claimed_domain
from tests.ros.fake_robot import FakeRobot, MapperListener

DEFAULTS = {
    "segmenter": "external",
    "diagnostics_rate_hz": 50.0,
    "cloud_rate_hz": 20.0,
    "mesh_rate_hz": 20.0,
    "service_timeout_s": 5.0,
    "warn_input_timeout_s": 1.0,
    "keyframe_distance_m": 0.0,
}


class Harness:
    """`mapper` spins on threads of its own; everything of `node` is spun by `spin_until`, on the test's thread."""

    kind: type[CameraNode[Any]] = SemanticMapper
    defaults: dict[str, Any] = DEFAULTS

    def __init__(self, domain: int, with_odom: bool = True, cloud: bool = True, **parameters: Any) -> None:
        self.domain = domain
        self.context = Context()
        self.context.init(domain_id=self.domain)
        overrides = [Parameter(name, value=value) for name, value in (self.defaults | parameters).items()]
        self.mapper = self.kind(context=self.context, parameter_overrides=overrides)
        self._mapper_executor = self.mapper.make_executor()
        self._thread = threading.Thread(target=self._spin_mapper, daemon=True)
        self._thread.start()
        self.node = Node("robot", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.robot = FakeRobot(self.node, with_odom)
        self.listener = MapperListener(self.node, cloud=cloud)
        self.name = self.mapper.get_name()

    def _spin_mapper(self) -> None:
        with suppress(ExternalShutdownException):
            self._mapper_executor.spin()

    def alive(self) -> bool:
        """Whether the node's executor still runs: an exception in a callback would have ended it."""
        return self._thread.is_alive()

    def spin(self, seconds: float) -> None:
        """Spin the robot's node for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def spin_until(self, condition: Callable[[], Any], what: str, timeout_s: float = 10.0) -> None:
        """Spin until the condition holds; fails the test with `what` where it does not in time."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert self.alive(), f"the mapper node died while waiting for: {what}"
            assert time.monotonic() < end, f"after {timeout_s} s still not: {what}; diagnostics: {self.listener.values}"
            self._executor.spin_once(timeout_sec=0.02)

    def count(self, key: str) -> int:
        """A counter of the newest diagnostics."""
        return self.listener.count(key)

    def wait_for_count(self, key: str, at_least: int, timeout_s: float = 10.0) -> None:
        """Spin until the diagnostics' counter has reached a value."""
        self.spin_until(lambda: self.count(key) >= at_least, f"{key} >= {at_least}", timeout_s)

    def settle(self) -> None:
        """Spin until the node has handled all messages so far and its diagnostics show it."""
        counts: list[tuple[int, ...]] = []
        while len(counts) < 4 or len(set(counts[-4:])) > 1:
            seen = self.listener.diagnostics
            self.spin_until(lambda seen=seen: self.listener.diagnostics >= seen + 2, "fresh diagnostics")
            self._wait_for_mapping_thread()
            counts.append((self.count("frames_in"), self.count("frames_mapped"), self.count("waiting_frames")))

    def _wait_for_mapping_thread(self) -> None:
        """Spin until the frame that is being mapped, if any, is in the map."""
        session = self.mapper._session
        if session is not None:
            done = threading.Event()
            threading.Thread(target=lambda: (session.worker.call(lambda: None, 10.0), done.set()), daemon=True).start()
            self.spin_until(done.is_set, "the end of the mapping thread's step")

    def wait_until_mapping(self) -> None:
        """Spin until the node is active and connected to the robot."""
        self.spin_until(self.robot.ready, "the mapper's subscriptions")

    def map_frames(self, count: int = 4, period_s: float = 0.03) -> None:
        """Publish good frames until `count` more of them are in the map."""
        self.settle()
        wanted = self.count("frames_mapped") + count
        end = time.monotonic() + 10
        while self.count("frames_mapped") < wanted:
            assert self.alive() and time.monotonic() < end, f"frames are not mapped any more: {self.listener.values}"
            self.robot.say()
            self.spin(period_s)

    def call(self, kind: Any, service: str, request: Any = None, timeout_s: float = 10.0) -> Any:
        """Call a service of the node, `~/service`, and return its response."""
        client = self.node.create_client(kind, f"/{self.name}/{service}")
        try:
            self.spin_until(client.service_is_ready, f"service {service}")
            future = client.call_async(request if request is not None else kind.Request())
            self.spin_until(future.done, f"answer of {service}", timeout_s)
            return future.result()
        finally:
            self.node.destroy_client(client)

    def close(self) -> None:
        """End everything."""
        ended = self.mapper.close()
        self._mapper_executor.shutdown(timeout_sec=2)
        self._executor.shutdown(timeout_sec=2)
        self._thread.join(5)
        self.mapper.destroy_node()
        self.node.destroy_node()
        self.context.try_shutdown()
        assert ended, "the mapping thread did not end"


@contextmanager
def running_mapper(kind: type[Harness] = Harness, **arguments: Any) -> Iterator[Harness]:
    """A mapper node (or the node of another harness) that is active and hears the robot, unless autostart is off."""
    with claimed_domain() as domain:
        harness = kind(domain, **arguments)
        try:
            if arguments.get("autostart", True) and arguments.get("color_transport", "raw") == "raw":
                harness.wait_until_mapping()
            yield harness
        finally:
            harness.close()
