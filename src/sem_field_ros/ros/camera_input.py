"""CameraInput: camera topics and TF -> PosedFrames, for any node with a camera.

    declare_settings(node, CameraOptions)
    camera = CameraInput(node, settings_from_node(node, CameraOptions), on_frame)
    ...
    found = camera.pop()  # in on_frame, or on a thread that on_frame wakes

ROS callbacks only pair and queue messages; they are decoded by `pop`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from sem_field_ros.camera_stream.camera_info import lens_problem
from sem_field_ros.camera_stream.depth_registration import DepthSource
from sem_field_ros.camera_stream.frames import StreamSetup, frame_from_bundle
from sem_field_ros.camera_stream.pairing import FrameBundle, FramePairer, stamp_ns_of
from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.camera_stream.time_policy import GapWatch
from sem_field_ros.camera_stream.topics import (
    CAMERA_INFO,
    CAMERA_TOPICS,
    COLOR,
    DEPTH,
    LABELS,
    camera_info_beside,
    compressed,
)
from sem_field_ros.camera_stream.waiting_frames import WaitingFrames
from sem_field_ros.errors import FrameError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.transform_tree import TransformError
from sem_field_ros.ros.camera_options import CameraOptions
from sem_field_ros.ros.latched_info import LatchedInfo
from sem_field_ros.ros.qos import image_qos
from sem_field_ros.ros.sparse_log import SparseLog
from sem_field_ros.ros.transforms import TransformBuffer

_POLL_S = 0.02  # how often frames that wait for a transform are looked at


@dataclass(frozen=True)
class InputFrame:
    """A decoded frame, the header of its colour image, and when it came (steady seconds)."""

    frame: PosedFrame
    header: Header
    arrival_s: float


class CameraInput:
    """Subscribes from the constructor until `close`. `pop` may be called from one thread, of any kind.

    node         has declared CameraOptions and is spun by an executor
    on_frame     called in a ROS callback when there may be something to pop
    want_depth   frames come with depth; want_labels: with label images
    transforms   where poses come from; default: a TransformBuffer of its own
    statistics   where messages and losses are counted; default: `self.statistics` is new
    camera_info  one that came earlier, for a camera that sends it once
    on_lost      called with the stamp (nanoseconds) of a frame that is lost, from the thread that loses it
    """

    def __init__(
        self,
        node: Node,
        options: CameraOptions,
        on_frame: Callable[[], None],
        *,
        want_depth: bool = True,
        want_labels: bool = False,
        transforms: TransformBuffer | None = None,
        statistics: InputStatistics | None = None,
        group: CallbackGroup | None = None,
        on_lost: Callable[[int], None] = lambda stamp_ns: None,
        camera_info: CameraInfo | None = None,
    ) -> None:
        self.paused = False  # images are dropped, counted as `paused`
        self.statistics = statistics or InputStatistics()
        self._node, self._options, self._on_frame, self._on_lost = node, options, on_frame, on_lost
        self._owns_transforms = transforms is None
        self._transforms = transforms or TransformBuffer(node, callback_group=group)
        self._log = SparseLog(node)
        self._lock = threading.Lock()
        self._open = True
        self._pairer = FramePairer(
            options.pairing_slop_s,
            options.pairing_queue_size,
            want_depth=want_depth,
            want_labels=want_labels,
            jump_s=max(options.clock_jump_s, 2 * options.pairing_slop_s + 1e-3),
        )
        if camera_info is not None:
            self._pairer.add_camera_info(camera_info)
        self._pairer_seen: Counter[str] = Counter()
        self._jumps_seen = 0
        self._jumped = False
        self._depth_info: CameraInfo | None = None  # of the depth camera, the newest
        self.notes: dict[str, str] = {}  # what makes frames inaccurate, for the diagnostics
        self._gaps = GapWatch(options.max_gap_s)
        self._waiting = WaitingFrames(self._pose_of, self._lose, options.max_waiting_frames, options.max_ready_frames)
        info_topic = node.resolve_topic_name(CAMERA_TOPICS[CAMERA_INFO])
        take_info = self._callback(info_topic, self._pairer.add_camera_info, is_frame=False)
        self._latched_info = LatchedInfo(node, info_topic, take_info, group)
        self._timer = node.create_timer(_POLL_S, self._poll, group, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()
        self._subscriptions = self._subscribe(group, want_depth, want_labels)
        self.use_options(options)
        backwards = JumpThreshold(
            min_forward=None, min_backward=Duration(seconds=-options.clock_jump_s), on_clock_change=False
        )
        self._jump_handle = node.get_clock().create_jump_callback(
            backwards, post_callback=lambda _: self._clock_jumped()
        )

    def use_options(self, options: CameraOptions) -> None:
        """Take over those options that may change while the input is open (camera_options.DYNAMIC)."""
        self._waiting.tolerance_s = options.transform_tolerance_s
        if self._open and self.camera_info is None:
            self._latched_info.look()

    @property
    def camera_info(self) -> CameraInfo | None:
        """The newest CameraInfo of the colour camera."""
        return self._pairer.last_info

    @property
    def waiting_frames(self) -> int:
        """Frames that wait for their transform or for `pop`."""
        return len(self._waiting)

    def pop(self) -> InputFrame | None:
        """Return the next frame that has a transform, decoded; None where there is none.

        Frames that cannot be decoded are lost: counted, logged and passed over.
        """
        while (found := self._waiting.pop()) is not None:
            waiting, T_world_camera = found
            try:
                frame = self._decoded(waiting.bundle, T_world_camera)
            except FrameError as error:
                self._lose(waiting.bundle, error.cause, str(error))
                continue
            return InputFrame(frame, waiting.bundle.color.header, waiting.arrival_s)
        return None

    def take_clock_jump(self) -> bool:
        """Whether the clock jumped back since the last call."""
        with self._lock:
            jumped, self._jumped = self._jumped, False
            return jumped

    def close(self) -> None:
        """Unsubscribe and drop what waits."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        with self._lock:
            self._open = False
            self._latched_info.close()
            self._node.destroy_timer(self._timer)
        self._jump_handle.unregister()
        self._waiting.clear("deactivated")
        if self._owns_transforms:
            self._transforms.destroy()

    # -- in ROS callbacks ---------------------------------------------------------------------------------------------

    def _subscribe(self, group: CallbackGroup | None, want_depth: bool, want_labels: bool) -> list[Any]:
        """Make the subscriptions; each message goes to one `add_` verb of the pairer."""
        wanted: list[tuple[str, type, Callable[[Any], None]]] = [
            (*_image(COLOR, self._options.color_transport), self._pairer.add_color),
            (CAMERA_TOPICS[CAMERA_INFO], CameraInfo, self._pairer.add_camera_info),
        ]
        if want_depth:
            wanted.append((*_image(DEPTH, self._options.depth_transport), self._pairer.add_depth))
        if want_labels:
            wanted.append((*_image(LABELS, "raw"), self._pairer.add_labels))
        self._setup = StreamSetup(
            self._node.resolve_topic_name(wanted[0][0]),
            self._node.resolve_topic_name(_image(DEPTH, self._options.depth_transport)[0]) if want_depth else "",
            self._options.color_images,
            self._options.depth_units_per_m,
        )
        qos = image_qos(self._options.image_reliability)
        subscriptions = []
        for topic, kind, add in wanted:
            name = self._node.resolve_topic_name(topic)
            callback = self._callback(name, add, is_frame=add == self._pairer.add_color)
            subscriptions.append(self._node.create_subscription(kind, topic, callback, qos, callback_group=group))
        self.statistics.expect(
            [subscription.topic_name for subscription in subscriptions], once=[subscriptions[1].topic_name]
        )
        if self.camera_info is not None:
            self.statistics.arrived(subscriptions[1].topic_name)
        if want_depth:  # not expected: it is needed only if depth is of another camera
            topic, take = camera_info_beside(self._setup.depth_topic), partial(setattr, self, "_depth_info")
            subscriptions.append(self._node.create_subscription(CameraInfo, topic, take, qos, callback_group=group))
        return subscriptions

    def _callback(self, topic: str, add: Callable[[Any], None], is_frame: bool) -> Callable[[Any], None]:
        def callback(msg: Any) -> None:
            self.statistics.arrived(topic, is_frame)
            with self._lock:
                if not self._open:
                    return  # closed by another thread meanwhile
                if self.paused:
                    if is_frame:
                        self.statistics.drop("paused")
                        self._on_lost(stamp_ns_of(msg))
                    return
                add(msg)
                self._after_pairing()
                if self.waiting_frames:
                    self._timer.reset()
            self._on_frame()

        return callback

    def _after_pairing(self) -> None:
        if self._pairer.clock_jumps != self._jumps_seen:
            self._jumps_seen = self._pairer.clock_jumps
            self._start_anew()
        while (bundle := self._pairer.pop()) is not None:
            if (gap_s := self._gaps.gap(bundle.stamp_ns)) is not None:
                self.statistics.event("stamp_gap")
                self._node.get_logger().warning(f"no frames for {gap_s:.1f} s: the camera paused or the clock jumped")
            self._waiting.push(bundle)
        for cause, total in self._pairer.drops.items():
            lost = total - self._pairer_seen[cause]
            self.statistics.drop(cause, lost)
            if lost > 0 and cause == "unpaired_color" and (why := self._pairer.why_unpaired()):
                self._log.warn("unpaired", f"colour images are lost (unpaired_color): {why}")
        self._pairer_seen = Counter(self._pairer.drops)

    def _poll(self) -> None:
        """A transform may have come meanwhile, or a frame may have waited long enough."""
        with self._lock:
            if self._open and not self.waiting_frames:
                self._timer.cancel()
                return
        self._on_frame()

    def _clock_jumped(self) -> None:
        """/clock went back: frames that wait have stamps of a time that is over."""
        with self._lock:
            self._pairer.clear()
            self._start_anew()
        self._on_frame()

    def _start_anew(self) -> None:
        self._waiting.clear("clock_jump")
        self._transforms.clear()
        self.statistics.event("clock_jump_back")
        self._jumped = True

    # -- on any thread ------------------------------------------------------------------------------------------------

    def _lose(self, bundle: FrameBundle, cause: str, why: str) -> None:
        """Count a lost frame; log why, unless that is empty (it was to be expected)."""
        self.statistics.drop(cause)
        if why:
            self._log.warn(cause, f"frame lost ({cause}): {why}")
        self._on_lost(bundle.stamp_ns)

    def _pose_of(self, bundle: FrameBundle) -> np.ndarray:
        frame_id = bundle.color.header.frame_id
        if not frame_id:
            raise TransformError("the colour image has no frame_id: set it in the camera driver", "no_frame_id")
        return self._transforms.lookup(self._options.global_frame, frame_id, bundle.stamp_ns)

    def _decoded(self, bundle: FrameBundle, T_world_camera: np.ndarray) -> PosedFrame:
        """Decode a frame. Raises FrameError."""

        if not self._setup.color_is_rectified and (problem := lens_problem(bundle.camera_info)):
            self.notes["distorted"] = problem
            self._log.warn("distorted", problem, once=True)
        lookup = partial(self._transforms.lookup, stamp_ns=bundle.stamp_ns)
        source = DepthSource(self._setup.depth_topic, self._depth_info, lookup)
        return frame_from_bundle(bundle, T_world_camera, setup=self._setup, depth_source=source)


def _image(stream: str, transport: str) -> tuple[str, type]:
    """Topic and message type of an image stream by its transport, `raw` or `compressed`."""
    topic = CAMERA_TOPICS[stream]
    return (compressed(stream, topic), CompressedImage) if transport == "compressed" else (topic, Image)
