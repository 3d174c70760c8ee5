"""TransformBuffer: /tf and /tf_static -> poses. tf2's own buffer where tf2_ros is installed, else TransformTree."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, Protocol

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.camera_stream.topics import TF_STATIC_TOPIC, TF_TOPIC
from sem_field_ros.geometry.poses import is_position, pose_from_quaternion, quaternion_from_pose
from sem_field_ros.geometry.transform_tree import LATEST, QUATERNION_TOLERANCE, STRAYS, TransformError, TransformTree
from sem_field_ros.ros.qos import tf_qos, tf_static_qos

try:
    import tf2_ros
except ImportError:  # a ROS without tf2 (the wheels): TransformTree gives the same answers
    tf2_ros = None

__all__ = ["LATEST", "HAVE_TF2", "TransformBuffer", "TransformError", "transform_to_msg"]

HAVE_TF2 = tf2_ros is not None


class _Store(Protocol):
    """Where transforms are kept."""

    def insert(self, msg: TransformStamped, static: bool) -> str | None: ...  # why it was refused

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray: ...

    def clear(self) -> None: ...


class TransformBuffer:
    """Listens to /tf and /tf_static of a node and answers lookups without ever blocking. Safe from any thread.

    `refused` counts transforms that were not taken: bad_pose (NaN, zero or denormalised quaternion), bad_frame_id,
    old_transform. Transforms older than `cache_s` behind the newest are forgotten.
    """

    def __init__(
        self,
        node: Node,
        cache_s: float = 10.0,
        callback_group: CallbackGroup | None = None,
        use_tf2: bool = HAVE_TF2,
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.received = 0
        self._node = node
        self._lock = threading.Lock()
        self._store = self.make_store(cache_s, use_tf2)
        self._subscriptions = [
            node.create_subscription(TFMessage, TF_TOPIC, self._on_tf, tf_qos(), callback_group=callback_group),
            node.create_subscription(
                TFMessage,
                TF_STATIC_TOPIC,
                self._on_tf_static,
                tf_static_qos(listener=True),
                callback_group=callback_group,
            ),
        ]

    @staticmethod
    def make_store(cache_s: float, use_tf2: bool) -> _Store:
        """Return where the transforms are kept."""
        return _Tf2Store(cache_s) if use_tf2 else _TreeStore(cache_s)

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """Return T_target_source (4x4 float64) at a stamp; LATEST asks for the newest.

        Raises TransformError with cause tf_missing, tf_extrapolation or tf_disconnected; its `retry` is true if a
        later transform may still give the answer.
        """
        with self._lock:
            return self._store.lookup(target, source, stamp_ns)

    def can_transform(self, target: str, source: str, stamp_ns: int) -> bool:
        """Whether lookup would succeed now."""
        try:
            self.lookup(target, source, stamp_ns)
        except TransformError:
            return False
        return True

    def insert(self, msg: TransformStamped, static: bool = False) -> bool:
        """Add one transform as if it had come by topic; False, and counted, where it is refused."""
        with self._lock:
            self.received += 1
            why = self._store.insert(msg, static)
            if why is not None:
                self.refused[why] += 1
        return why is None

    def clear(self) -> None:
        """Forget everything that moves, as after a clock jump; static transforms stay."""
        with self._lock:
            self._store.clear()

    def destroy(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _on_tf(self, msg: TFMessage) -> None:
        for transform in msg.transforms:
            self.insert(transform)

    def _on_tf_static(self, msg: TFMessage) -> None:
        for transform in msg.transforms:
            self.insert(transform, static=True)


class _TreeStore:
    def __init__(self, cache_s: float) -> None:
        self._tree = TransformTree(cache_s)

    def insert(self, msg: TransformStamped, static: bool) -> str | None:
        before = Counter(self._tree.refused)
        translation, xyzw = _parts(msg)
        self._tree.set_transform(msg.header.frame_id, msg.child_frame_id, stamp_ns_of(msg), translation, xyzw, static)
        return next(iter(self._tree.refused - before), None)

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        return self._tree.lookup(target, source, stamp_ns)

    def clear(self) -> None:
        self._tree.clear()


class _Tf2Store:
    """tf2's BufferCore: its exceptions become ours, and what it only logs as refused is checked before."""

    def __init__(self, cache_s: float) -> None:
        from rclpy.duration import Duration

        self._core: Any = tf2_ros.BufferCore(Duration(nanoseconds=int(cache_s * 1e9)))
        self._cache_ns = int(cache_s * 1e9)
        self._newest: dict[str, int] = {}
        self._too_old = 0

    def insert(self, msg: TransformStamped, static: bool) -> str | None:
        translation, xyzw = _parts(msg)
        if not abs(float(xyzw @ xyzw) - 1.0) < QUATERNION_TOLERANCE or not is_position(translation):
            return "bad_pose"
        parent, child = msg.header.frame_id.lstrip("/"), msg.child_frame_id.lstrip("/")
        if not parent or not child or parent == child:
            return "bad_frame_id"
        if static:
            self._core.set_transform_static(msg, "default_authority")
            return None
        stamp_ns, newest = stamp_ns_of(msg), self._newest.get(child, 0)
        if stamp_ns < newest - self._cache_ns:
            self._too_old += 1
            if self._too_old <= STRAYS:
                return "old_transform"
            self.clear()  # they keep coming: the clock jumped back, and one transform from before came late
        self._newest[child] = max(stamp_ns, self._newest.get(child, 0))
        self._too_old = 0
        self._core.set_transform(msg, "default_authority")
        return None

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        from rclpy.time import Time

        target, source = target.lstrip("/"), source.lstrip("/")
        if target == source:
            return np.eye(4)
        try:
            msg = self._core.lookup_transform_core(target, source, Time(nanoseconds=stamp_ns))
        except tf2_ros.ExtrapolationException as error:
            raise TransformError(str(error), "tf_extrapolation", retry="past" not in str(error)) from error
        except tf2_ros.ConnectivityException as error:
            raise TransformError(str(error), "tf_disconnected", retry=True) from error
        except (tf2_ros.LookupException, tf2_ros.InvalidArgumentException) as error:
            raise TransformError(str(error), "tf_missing", retry=True) from error
        return pose_from_quaternion(*_parts(msg))

    def clear(self) -> None:
        self._core.clear()
        self._newest = {}


def _parts(msg: TransformStamped) -> tuple[np.ndarray, np.ndarray]:
    t, q = msg.transform.translation, msg.transform.rotation
    return np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w])


def transform_to_msg(parent: str, child: str, stamp_ns: int, T_parent_child: np.ndarray) -> TransformStamped:
    """Return a 4x4 as TransformStamped."""
    msg = TransformStamped(child_frame_id=child)
    msg.header.frame_id = parent
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(int(stamp_ns), 1_000_000_000)
    t, q = msg.transform.translation, msg.transform.rotation
    t.x, t.y, t.z = (float(v) for v in T_parent_child[:3, 3])
    q.x, q.y, q.z, q.w = (float(v) for v in quaternion_from_pose(T_parent_child))
    return msg
