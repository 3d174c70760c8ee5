"""Node `sequence_player`: a recorded folder or bag -> camera topics, TF and /clock, in the sequence's own time."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool, Float32, Header
from tf2_msgs.msg import TFMessage

from sem_field_ros.data.open_sequence import open_sequence
from sem_field_ros.errors import DataError, SemFieldError
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.images import image_to_msg, labels_to_msg
from sem_field_ros.ros.parameters import declare_settings, settings_from_node
from sem_field_ros.ros.qos import clock_qos, image_qos, latched_qos, tf_qos, tf_static_qos
from sem_field_ros.ros.transforms import transform_to_msg
from sem_field_ros.settings import check_settings, setting

# The camera looks along the robot's x axis: optical (x right, y down, z forward) in base_link (x forward, z up).
T_BASE_CAMERA = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
_AHEAD = 8  # frames decoded ahead of their time
_CLOCK_PERIOD_S = 0.01


@dataclass(frozen=True)
class PlayerOptions:
    """Parameters of the node `sequence_player`."""

    path: str = setting("", "sequence: a folder (see docs/data.md) or an MCAP or sqlite3 bag")
    label_set: str = setting("", "label set of the sequence's label images; empty = what the sequence says")
    rate: float = setting(1.0, "speed; 2.0 plays twice as fast", minimum=0.01, maximum=100.0)
    loops: int = setting(1, "times the sequence is played; 0 = until stopped", minimum=0, maximum=1_000_000)
    start_s: float = setting(0.0, "skip this much of the beginning", minimum=0.0, maximum=1e6)
    duration_s: float = setting(0.0, "play only this long from there; 0 = to the end", minimum=0.0, maximum=1e6)
    publish_clock: bool = setting(True, "publish /clock; other nodes then need use_sim_time: true")
    publish_labels: bool = setting(True, "publish the sequence's label images, where it has any")
    wait_for_subscribers_s: float = setting(
        30.0, "wait at most this long for someone to subscribe to the colour image; 0 = do not wait",
        minimum=0.0, maximum=3600.0,
    )  # fmt: skip
    image_reliability: str = setting("reliable", "of the image publishers", choices=("best_effort", "reliable"))
    map_frame: str = setting("map", "world frame of the sequence's poses")
    odom_frame: str = setting("odom", "odometry frame, published equal to the map frame")
    base_frame: str = setting("base_link", "robot frame")
    camera_frame: str = setting("camera_color_optical_frame", "optical frame of the images")

    def __post_init__(self) -> None:
        check_settings(self)


class SequencePlayer(Node):
    """Publishes one sequence and then says so on `~/finished`."""

    def __init__(self) -> None:
        super().__init__("sequence_player")
        declare_settings(self, PlayerOptions)
        self.options = settings_from_node(self, PlayerOptions)
        if not self.options.path:
            raise DataError("sequence_player needs the parameter path: a sequence folder or a bag")
        self.reader: SequenceReader = open_sequence(
            self.options.path,
            label_set=self.options.label_set or None,
            start_s=self.options.start_s,
            duration_s=self.options.duration_s or None,
        )
        qos = image_qos(self.options.image_reliability)
        self._color = self.create_publisher(Image, "camera/color/image_raw", qos)
        self._info = self.create_publisher(CameraInfo, "camera/color/camera_info", qos)
        self._depth = self.create_publisher(Image, "camera/depth/image_raw", qos)
        self._labels = self.create_publisher(Image, "camera/label/image_raw", qos)
        self._tf = self.create_publisher(TFMessage, "/tf", tf_qos())
        self._tf_static = self.create_publisher(TFMessage, "/tf_static", tf_static_qos())
        self._clock = self.create_publisher(Clock, "/clock", clock_qos())
        self._finished = self.create_publisher(Bool, "~/finished", latched_qos())
        self._progress = self.create_publisher(Float32, "~/progress", latched_qos())
        self.stopping = threading.Event()

    def play(self) -> None:
        """Play all loops; returns at the end or soon after `stopping` is set."""
        o = self.options
        self._finished.publish(Bool(data=False))
        self._tf_static.publish(TFMessage(transforms=[transform_to_msg(o.base_frame, o.camera_frame, 0, T_BASE_CAMERA)]))
        self._await_subscribers()
        self.get_logger().info(f"playing {self.reader.name}: {len(self.reader)} frames at {o.rate:g}x")
        loop = 0
        while not self.stopping.is_set() and (o.loops == 0 or loop < o.loops):
            self._play_once()
            loop += 1
        self._finished.publish(Bool(data=True))
        self.get_logger().info("finished")

    def _await_subscribers(self) -> None:
        deadline = time.monotonic() + self.options.wait_for_subscribers_s
        while time.monotonic() < deadline and not self.stopping.is_set():
            if self._color.get_subscription_count() and self._tf.get_subscription_count():
                self.stopping.wait(0.5)  # the other topics match within moments of these
                return
            self.stopping.wait(0.05)
        if self.options.wait_for_subscribers_s > 0:
            self.get_logger().warning("nobody subscribed to the colour image; playing anyway")

    def _play_once(self) -> None:
        first_ns: int | None = None
        start = time.monotonic()
        for i, frame in enumerate(self._decoded_ahead()):
            if first_ns is None:
                first_ns, start = frame.stamp_ns, time.monotonic()
            due = start + (frame.stamp_ns - first_ns) * 1e-9 / self.options.rate
            while (left := due - time.monotonic()) > 0 and not self.stopping.is_set():
                self._publish_clock(frame.stamp_ns - round(left * self.options.rate * 1e9))
                self.stopping.wait(min(left, _CLOCK_PERIOD_S))
            if self.stopping.is_set():
                return
            self._publish(frame)
            self._progress.publish(Float32(data=(i + 1) / len(self.reader)))

    def _decoded_ahead(self) -> Iterator[PosedFrame]:
        """Yield the sequence's frames, read by a thread of its own; unreadable ones are skipped with a warning."""
        ready: queue.Queue[PosedFrame | None] = queue.Queue(_AHEAD)
        gone = threading.Event()

        def read() -> None:
            frames = iter(self.reader)
            while not gone.is_set():
                try:
                    frame = next(frames, None)
                except SemFieldError as error:
                    self.get_logger().warning(f"frame skipped: {error}")
                    continue
                while not gone.is_set():
                    try:
                        ready.put(frame, timeout=0.1)
                        break
                    except queue.Full:
                        continue
                if frame is None:
                    return

        thread = threading.Thread(target=read, name="read", daemon=True)
        thread.start()
        try:
            while (frame := ready.get()) is not None:
                yield frame
        finally:
            gone.set()
            thread.join()

    def _publish_clock(self, stamp_ns: int) -> None:
        if self.options.publish_clock:
            self._clock.publish(Clock(clock=Time(nanoseconds=max(stamp_ns, 0)).to_msg()))

    def _publish(self, frame: PosedFrame) -> None:
        o = self.options
        header = Header(stamp=Time(nanoseconds=frame.stamp_ns).to_msg(), frame_id=o.camera_frame)
        self._publish_clock(frame.stamp_ns)
        T_odom_base = frame.T_world_camera @ inverse(T_BASE_CAMERA)
        self._tf.publish(
            TFMessage(
                transforms=[
                    transform_to_msg(o.map_frame, o.odom_frame, frame.stamp_ns, np.eye(4)),
                    transform_to_msg(o.odom_frame, o.base_frame, frame.stamp_ns, T_odom_base),
                ]
            )
        )
        self._info.publish(camera_info_to_msg(frame.camera, header))
        if frame.depth is not None:
            millimetres = np.clip(frame.depth * 1000 + 0.5, 0, 65534).astype(np.uint16)
            self._depth.publish(image_to_msg(millimetres, header, "16UC1"))
        if frame.labels is not None and o.publish_labels:
            self._labels.publish(labels_to_msg(frame.labels, header))
        self._color.publish(image_to_msg(frame.color, header, "rgb8"))


def main(args: list[str] | None = None) -> int:
    """Entry point of `ros2 run sem_field_ros sequence_player`."""
    rclpy.init(args=args)
    try:
        player = SequencePlayer()
    except SemFieldError as error:
        print(f"sequence_player: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    spinner = threading.Thread(target=_spin, args=(player,), daemon=True)
    spinner.start()
    try:
        player.play()
        player.stopping.wait(1.0)  # let the last messages leave before the publishers go
    except KeyboardInterrupt:
        pass
    finally:
        player.stopping.set()
        rclpy.try_shutdown()
        spinner.join(2.0)
    return 0


def _spin(player: SequencePlayer) -> None:
    try:
        rclpy.spin(player)
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        pass
    player.stopping.set()


if __name__ == "__main__":
    sys.exit(main())
