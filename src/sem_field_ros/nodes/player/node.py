"""Node `sequence_player`: a recorded folder or bag -> camera topics, TF and /clock, in the sequence's own time."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, Float32

from sem_field_ros.datasets.bag.topics import BagTopics
from sem_field_ros.errors import DataError, SemFieldError
from sem_field_ros.exit_codes import DONE, REFUSED
from sem_field_ros.nodes.player.options import PlayerOptions
from sem_field_ros.nodes.player.playback import (
    DEPTH,
    LABEL_INFO,
    LABELS,
    TF,
    TF_STATIC,
    FrameIds,
    Moment,
    open_playback,
)
from sem_field_ros.ros.parameters import declare_settings, settings_from_node
from sem_field_ros.ros.qos import clock_qos, image_qos, latched_qos, tf_qos, tf_static_qos
from sem_field_ros.ros.spinning import spinning_beside, start_node

_SETTLE_S = 0.5  # subscribers take a moment longer than we to know that they are connected
_ACKNOWLEDGE_S = 1.0  # in all; an acknowledgement may wait for the next heartbeat although all has arrived


class SequencePlayer(Node):
    """Publishes one sequence and then says so on `~/finished` (latched); `~/progress` goes from 0 to 1."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__("sequence_player", **node_options)
        declare_settings(self, PlayerOptions)
        self.options = o = settings_from_node(self, PlayerOptions)
        if not o.path:
            raise DataError("sequence_player needs the parameter path: a sequence folder or a bag")
        self.stopping = threading.Event()
        self._playback = open_playback(
            o.path,
            o.start_s,
            o.duration_s or None,
            o.label_set or None,
            BagTopics(o.color_topic, o.camera_info_topic, o.depth_topic, o.label_topic),
            FrameIds(o.map_frame, o.odom_frame, o.base_frame, o.camera_frame),
            keep_compressed=o.keep_topics,
        )
        unwanted = (LABELS, LABEL_INFO) * (not o.publish_labels) + (DEPTH,) * (not o.publish_depth)
        self._out = {stream: self._publisher(stream) for stream in self._playback.kinds if stream not in unwanted}
        self._clock_out = self.create_publisher(Clock, "/clock", clock_qos()) if o.publish_clock else None
        self._clock_due = 0.0
        self._finished = self.create_publisher(Bool, "~/finished", latched_qos())
        self._progress = self.create_publisher(Float32, "~/progress", latched_qos())

    def play(self) -> None:
        """Play all loops; returns when everything was delivered, or soon after `stopping` is set."""
        self._finished.publish(Bool(data=False))
        for stream, message in self._playback.latched():
            self._publish(stream, message)
        self._await_subscribers()
        seconds = (self._playback.end_ns - self._playback.start_ns) * 1e-9
        self.get_logger().info(f"playing {self._playback.name}, {seconds:.1f} s at {self.options.rate:g}x")
        loop = 0
        while not self.stopping.is_set() and (self.options.loops == 0 or loop < self.options.loops):
            self._play_once()
            loop += 1
        if not self.stopping.is_set():
            self._finished.publish(Bool(data=True))
            self._await_delivery()
            self.get_logger().info("finished")

    def _publisher(self, stream: str) -> Publisher:
        o = self.options
        topic = {
            "color": f"{o.topic_prefix}/color/image_raw",
            "camera_info": f"{o.topic_prefix}/color/camera_info",
            "depth": f"{o.topic_prefix}/depth/image_raw",
            "labels": f"{o.topic_prefix}/label/image_raw",
            "label_info": f"{o.topic_prefix}/label/label_info",
            TF: "/tf",
            TF_STATIC: "/tf_static",
        }[stream]
        if o.keep_topics:
            topic = self._playback.names.get(stream, topic)
        special = {TF: tf_qos(), TF_STATIC: tf_static_qos(), LABEL_INFO: latched_qos()}
        qos = special.get(stream) or image_qos(o.image_reliability)
        return self.create_publisher(self._playback.kinds[stream], topic, qos)

    def _await_subscribers(self) -> None:
        """Wait for all that a mapper listens to, so that it misses nothing; label images are for some only."""
        needed = {p.topic_name: p for stream, p in self._out.items() if stream not in (LABELS, LABEL_INFO)}
        deadline = time.monotonic() + self.options.wait_for_subscribers_s
        while not self.stopping.is_set():
            missing = [name for name, publisher in needed.items() if not publisher.get_subscription_count()]
            if not missing:
                self.stopping.wait(_SETTLE_S)
                return
            if time.monotonic() > deadline:
                if self.options.wait_for_subscribers_s:
                    self.get_logger().warning(f"nobody subscribes to {', '.join(missing)}; playing anyway")
                return
            self._tick_clock(self._playback.start_ns)
            self.stopping.wait(0.05)

    def _play_once(self) -> None:
        playback = self._playback
        length_ns = max(1, playback.end_ns - playback.start_ns)
        start = 0.0
        for moment in self._prepared():
            start = start or time.monotonic()  # only now: reading the first one took its time
            self._wait(start, moment.time_ns)
            if self.stopping.is_set():
                return
            if moment.is_frame:
                self._publish_clock(moment.time_ns)
                share = (moment.time_ns - playback.start_ns) / length_ns
                self._progress.publish(Float32(data=min(1.0, share)))
            for stream, message in moment.messages:
                self._publish(stream, message)
        self._wait(start or time.monotonic(), playback.end_ns)
        self._progress.publish(Float32(data=1.0))

    def _wait(self, start: float, time_ns: int) -> None:
        """Sleep until a moment of the sequence, keeping /clock going."""
        rate = self.options.rate
        due = start + (time_ns - self._playback.start_ns) * 1e-9 / rate
        while (left := due - time.monotonic()) > 0 and not self.stopping.is_set():
            self._tick_clock(time_ns - round(left * rate * 1e9))
            self.stopping.wait(min(left, 1.0 / self.options.clock_rate_hz))

    def _prepared(self) -> Iterator[Moment]:
        """Yield the moments, read and converted by a thread of its own; unreadable ones are skipped with a warning."""
        ready: queue.Queue[Moment | None] = queue.Queue(self._playback.ahead)
        gone = threading.Event()

        def put(moment: Moment | None) -> None:
            while not gone.is_set():
                try:
                    return ready.put(moment, timeout=0.1)
                except queue.Full:
                    continue

        def read() -> None:
            moments = iter(self._playback)
            moment: Moment | None = None
            while not gone.is_set():
                try:
                    moment = next(moments, None)
                except SemFieldError as error:
                    self.get_logger().warning(f"left out: {error}")
                    continue
                put(moment)
                if moment is None:
                    return

        thread = threading.Thread(target=read, name="read", daemon=True)
        thread.start()
        try:
            while (moment := ready.get()) is not None:
                yield moment
        finally:
            gone.set()
            thread.join()

    def _publish(self, stream: str, message: Any) -> None:
        publisher = self._out.get(stream)
        if publisher is not None:
            publisher.publish(message)

    def _tick_clock(self, time_ns: int) -> None:
        if time.monotonic() >= self._clock_due:
            self._publish_clock(time_ns)

    def _publish_clock(self, time_ns: int) -> None:
        self._clock_due = time.monotonic() + 1.0 / self.options.clock_rate_hz
        if self._clock_out is not None:
            self._clock_out.publish(Clock(clock=Time(nanoseconds=max(time_ns, 0)).to_msg()))

    def _await_delivery(self) -> None:
        deadline = time.monotonic() + _ACKNOWLEDGE_S
        for publisher in [*self._out.values(), self._finished]:
            publisher.wait_for_all_acked(Duration(seconds=max(0.0, deadline - time.monotonic())))


def main(args: list[str] | None = None) -> int:
    """Entry point of `ros2 run sem_field_ros sequence_player`; ends by itself after the last frame."""
    player = start_node("sequence_player", SequencePlayer, args)
    if player is None:
        return REFUSED
    with spinning_beside(player, player.stopping):
        try:
            player.play()
        except KeyboardInterrupt:
            pass
        except Exception:  # a signal shuts ROS down under the publishers: then whatever they raise is no fault
            if rclpy.ok():
                raise
    return DONE


if __name__ == "__main__":
    sys.exit(main())
