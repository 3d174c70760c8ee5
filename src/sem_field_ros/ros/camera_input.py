"""CameraInput: camera topics -> pairing -> transform -> PosedFrame, for any node. ROS callbacks only queue."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from sem_field_ros.camera_stream.frames import frame_from_bundle
from sem_field_ros.camera_stream.pairing import FrameBundle, FramePairer
from sem_field_ros.camera_stream.statistics import FrameStatistics
from sem_field_ros.camera_stream.time_policy import GapWatch
from sem_field_ros.camera_stream.waiting_frames import WaitingFrames
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.transform_tree import TransformError
from sem_field_ros.ros.camera_options import CameraOptions
from sem_field_ros.ros.qos import image_qos
from sem_field_ros.ros.transforms import TransformBuffer

COLOR_TOPIC = "camera/color/image_raw"
INFO_TOPIC = "camera/color/camera_info"
DEPTH_TOPIC = "camera/depth/image_raw"
LABEL_TOPIC = "camera/label/image_raw"


@dataclass(frozen=True)
class InputFrame:
    """A decoded frame, the messages it was made from and when it came (steady seconds)."""

    frame: PosedFrame
    source: FrameBundle
    arrival_s: float

    @property
    def header(self) -> Any:
        """The colour image's header."""
        return self.source.color.header


class CameraInput:
    """Subscribes while open. `on_frame` is called (in a ROS callback) when there may be something to pop."""

    def __init__(
        self,
        node: Node,
        options: CameraOptions,
        transforms: TransformBuffer,
        statistics: FrameStatistics,
        lost: Callable[[str, str], None],
        on_frame: Callable[[], None],
        group: CallbackGroup,
        want_depth: bool,
        want_labels: bool,
    ) -> None:
        """`lost(cause, why)` is told of every frame that is dropped."""
        self.paused = False
        self._node, self._options, self._transforms, self._statistics = node, options, transforms, statistics
        self._on_frame = on_frame
        self._lock = threading.Lock()
        self._pairer = FramePairer(
            options.pairing_slop_s,
            options.pairing_queue_size,
            want_depth=want_depth,
            want_labels=want_labels,
            jump_s=max(options.clock_jump_s, 2 * options.pairing_slop_s + 1e-3),
        )
        self._pairer_seen: Counter[str] = Counter()
        self._jumps_seen = 0
        self._jumped = False
        self._gaps = GapWatch(options.max_gap_s)
        self.waiting = WaitingFrames(self._pose_of, lost, options.max_waiting_frames, options.max_ready_frames)
        self._subscriptions = self._subscribe(group, want_depth, want_labels)
        self._jump_handle = node.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(seconds=-options.clock_jump_s), on_clock_change=False
            ),
            post_callback=lambda _: self._clock_jumped(),
        )

    def _subscribe(self, group: CallbackGroup, want_depth: bool, want_labels: bool) -> list[Any]:
        """Make the subscriptions; each message goes to one `add_` verb of the pairer."""
        qos = image_qos(self._options.image_reliability)
        color: tuple[str, type] = (COLOR_TOPIC, Image)
        if self._options.color_transport == "compressed":
            color = (COLOR_TOPIC + "/compressed", CompressedImage)
        depth: tuple[str, type] = (DEPTH_TOPIC, Image)
        if self._options.depth_transport == "compressed":
            depth = (DEPTH_TOPIC + "/compressedDepth", CompressedImage)
        wanted = [
            (*color, self._pairer.add_color, True),
            (INFO_TOPIC, CameraInfo, self._pairer.add_camera_info, False),
        ]
        if want_depth:
            wanted.append((*depth, self._pairer.add_depth, False))
        if want_labels:
            wanted.append((LABEL_TOPIC, Image, self._pairer.add_labels, False))
        subscriptions = []
        for topic, kind, add, is_frame in wanted:
            name = self._node.resolve_topic_name(topic)
            callback = self._callback(name, add, is_frame)
            subscriptions.append(self._node.create_subscription(kind, topic, callback, qos, callback_group=group))
        self._statistics.expect(subscription.topic_name for subscription in subscriptions)
        return subscriptions

    def _callback(self, topic: str, add: Callable[[Any], None], is_frame: bool) -> Callable[[Any], None]:
        def callback(msg: Any) -> None:
            self._statistics.arrived(topic, is_frame)
            if self.paused:
                if is_frame:
                    self._statistics.drop("paused")
                return
            with self._lock:
                add(msg)
                self._after_pairing()
            self._on_frame()

        return callback

    def _after_pairing(self) -> None:
        if self._pairer.clock_jumps != self._jumps_seen:
            self._jumps_seen = self._pairer.clock_jumps
            self._start_anew()
        while (bundle := self._pairer.pop()) is not None:
            if (gap_s := self._gaps.gap(bundle.stamp_ns)) is not None:
                self._statistics.event("stamp_gap")
                self._node.get_logger().warning(f"no frames for {gap_s:.1f} s: the camera paused or the clock jumped")
            self.waiting.push(bundle)
        for cause, total in self._pairer.drops.items():
            self._statistics.drop(cause, total - self._pairer_seen[cause])
        self._pairer_seen = Counter(self._pairer.drops)

    def _clock_jumped(self) -> None:
        """/clock went back: whatever waits has stamps of a time that is no more."""
        with self._lock:
            self._pairer.clear()
            self._start_anew()
        self._on_frame()

    def _start_anew(self) -> None:
        self.waiting.clear("clock_jump")
        self._transforms.clear()
        self._statistics.event("clock_jump_back")
        self._jumped = True

    def take_clock_jump(self) -> bool:
        """Whether the clock jumped back since the last call."""
        with self._lock:
            jumped, self._jumped = self._jumped, False
            return jumped

    def pop(self) -> InputFrame | None:
        """Return the next frame that has a transform, decoded; None where there is none.

        Raises FrameError where it cannot be decoded. For the mapping thread.
        """
        found = self.waiting.pop()
        if found is None:
            return None
        waiting, T_world_camera = found
        return InputFrame(frame_from_bundle(waiting.bundle, T_world_camera), waiting.bundle, waiting.arrival_s)

    def _pose_of(self, bundle: FrameBundle) -> np.ndarray:
        frame_id = bundle.color.header.frame_id
        if not frame_id:
            raise TransformError("the colour image has no frame_id: set it in the camera driver", "no_frame_id")
        return self._transforms.lookup(self._options.global_frame, frame_id, bundle.stamp_ns)

    def close(self) -> None:
        """Unsubscribe and drop what waits."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self._jump_handle.unregister()
        self.waiting.clear("deactivated")
