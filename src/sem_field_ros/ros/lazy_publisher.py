"""A publisher that knows whether it has subscribers, whether there are new ones, and when it may publish again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble has no matched event: there, subscribers are counted at every look
    PublisherEventCallbacks = None  # type: ignore[assignment, misc]


class LazyPublisher:
    """One lifecycle publisher (silent while the node is not active). `on_newcomer` is called in a ROS callback."""

    def __init__(
        self, node: LifecycleNode, kind: type, topic: str, qos: QoSProfile, on_newcomer: Callable[[], None]
    ) -> None:
        self._node = node
        self._on_newcomer = on_newcomer
        self._lock = threading.Lock()
        self._newcomers = 0
        self._due_s = 0.0  # steady seconds
        self._rate_hz = 1.0
        self._count = 0
        events = PublisherEventCallbacks(matched=self._matched) if PublisherEventCallbacks is not None else None
        self._publisher: Any = node.create_lifecycle_publisher(kind, topic, qos, event_callbacks=events)

    @property
    def wanted(self) -> bool:
        """Whether there are subscribers."""
        return self._publisher.get_subscription_count() > 0

    def take_newcomers(self) -> bool:
        """Whether somebody subscribed since the last call. Ask before the message is made, so that none is missed."""
        with self._lock:
            came, self._newcomers = self._newcomers > 0, 0
            return came

    def _matched(self, info: Any) -> None:
        if info.total_count_change > 0:
            self.resend()

    def resend(self) -> None:
        """Treat every subscriber as new."""
        with self._lock:
            self._newcomers += 1
        self._on_newcomer()

    def due_in(self, now_s: float, rate_hz: float, has_news: bool) -> float | None:
        """Seconds until this should be published, 0 = now; None without subscribers or news."""
        count = self._publisher.get_subscription_count()
        if PublisherEventCallbacks is None and count > self._count:
            self._newcomers += 1
        self._count = count
        if not count or not (has_news or self._newcomers):
            return None
        if rate_hz != self._rate_hz:  # at the start, or the rate was changed
            self._rate_hz, self._due_s = rate_hz, min(self._due_s, now_s + 1 / rate_hz)
        return max(0.0, self._due_s - now_s)

    def publish(self, msg: Any) -> None:
        """Publish a message or its serialised bytes."""
        # Counted from when it was due, so that being late once does not slow the rate; half a period lies between two.
        self._due_s = max(self._due_s + 1 / self._rate_hz, time.monotonic() + 0.5 / self._rate_hz)
        self._publisher.publish(msg)

    def close(self) -> None:
        """Destroy the publisher."""
        self._node.destroy_lifecycle_publisher(self._publisher)
