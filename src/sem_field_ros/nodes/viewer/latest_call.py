"""Calls of a service that never wait: one at a time, a newer one replaces the one that is not yet answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

Done = Callable[[Any, str], None]  # response, or None and why there is none


class LatestCall:
    """One service. `done` is called once for each call that is not replaced, on the node's thread."""

    def __init__(self, node: Node, kind: type, service: str, timeout_s: float) -> None:
        self._service, self._timeout_s = service, timeout_s
        self._client: Client = node.create_client(kind, service)
        self._lock = threading.Lock()  # guards what other threads touch: the waiting call
        self._waiting: tuple[Callable[[], Any], Done] | None = None
        self._wake = node.create_guard_condition(self._send)
        self._future: Future | None = None
        self._done: Done = lambda response, why: None
        # by the wall's clock: the ROS clock stands still while a recording is paused
        self._timer = node.create_timer(timeout_s, self._give_up, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()

    def call(self, make: Callable[[], Any], done: Done) -> None:
        """Call with the request that `make` returns on the node's thread. Any thread, no waiting."""
        with self._lock:
            self._waiting = (make, done)
        self._wake.trigger()

    # --- on the node's thread

    def _send(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        self._drop()
        make, self._done = waiting
        if not self._client.service_is_ready():
            self._done(None, f"there is no service {self._service}")
            return
        self._future = self._client.call_async(make())
        self._timer.reset()
        self._future.add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        if future is not self._future:  # given up
            return
        self._timer.cancel()
        self._future = None
        response = future.result()
        self._done(response, "" if response is not None else str(future.exception()))

    def _give_up(self) -> None:
        if self._future is not None:
            self._drop()
            self._done(None, f"{self._service} did not answer within {self._timeout_s:g} s")

    def _drop(self) -> None:
        self._timer.cancel()
        if self._future is not None:
            self._client.remove_pending_request(self._future)
            self._future = None
