"""A CameraInfo that was published once and latched, before this node came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from sem_field_ros.ros.qos import latched_qos


class LatchedInfo:
    """Subscribes to latched messages where somebody publishes such; other publishers would warn of it."""

    def __init__(self, node: Node, topic: str, take: Callable[[Any], None], group: CallbackGroup | None) -> None:
        self._node, self._topic, self._take, self._group = node, topic, take, group
        self._subscription: Subscription | None = None

    def look(self) -> None:
        """Subscribe if there is a latched publisher; cheap enough for twice a second."""
        if self._subscription is None and any(
            publisher.qos_profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL
            for publisher in self._node.get_publishers_info_by_topic(self._topic)
        ):
            self._subscription = self._node.create_subscription(
                CameraInfo, self._topic, self._take, latched_qos(), callback_group=self._group
            )

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
