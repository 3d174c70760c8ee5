"""Node `sequence_player`: plays a recording as camera topics, TF and /clock, at its own pace or the mapper's."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import rclpy
from builtin_interfaces.msg import Time as TimeMsg
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, Float32

from sem_field_ros.camera_stream.topics import (
    CLOCK_TOPIC,
    DEPTH,
    FINISHED,
    FRAME_DONE,
    LABEL_INFO,
    LABELS,
    PLAYER,
    PROGRESS,
    TF,
    TF_STATIC,
    TF_STATIC_TOPIC,
    TF_TOPIC,
    camera_topics,
    of_node,
    own,
)
from sem_field_ros.datasets.bag.topics import BagTopics
from sem_field_ros.errors import DataError, SemFieldError
from sem_field_ros.exit_codes import DONE, REFUSED
from sem_field_ros.nodes.player.options import PlayerOptions
from sem_field_ros.nodes.player.pacing import SLOW_S, FeedbackPace
from sem_field_ros.nodes.player.playback import FrameIds, Moment, open_playback
from sem_field_ros.ros.parameters import declare_settings, settings_from_node
from sem_field_ros.ros.qos import clock_qos, image_qos, latched_qos, tf_qos, tf_static_qos
from sem_field_ros.ros.sparse_log import SparseLog
from sem_field_ros.ros.spinning import spinning_beside, start_node

_SETTLE_S = 0.5  # subscribers learn of the connection a moment after publishers
_ANSWERER_S = 3.0  # to discover the mapper's answers; without them frames go slowly
_ANSWER_QUEUE = 100
_ACKNOWLEDGE_S = 1.0  # in all; an acknowledgement may wait for the next heartbeat although all has arrived


class SequencePlayer(Node):
    """Publishes one sequence and then true on `~/finished` (latched); `~/progress` goes from 0 to 1."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__(PLAYER, **node_options)
        declare_settings(self, PlayerOptions)
        self.options = o = settings_from_node(self, PlayerOptions)
        if not o.path:
            raise DataError(f"{PLAYER} needs the parameter path: a sequence folder or a bag")
        self.stopping = threading.Event()
        self._log = SparseLog(self)
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
        self._clock_out = self.create_publisher(Clock, CLOCK_TOPIC, clock_qos()) if o.publish_clock else None
        self._clock_due = 0.0
        self._finished = self.create_publisher(Bool, own(FINISHED), latched_qos())
        self._progress = self.create_publisher(Float32, own(PROGRESS), latched_qos())
        self._pace: FeedbackPace | None = None
        if o.pace == "feedback" or (o.pace == "auto" and not self._playback.times_known):
            self._pace = FeedbackPace(o.frames_ahead, o.answer_timeout_s)
            self.create_subscription(TimeMsg, of_node(o.mapper, FRAME_DONE), self._on_frame_done, _ANSWER_QUEUE)

    def play(self) -> None:
        """Play all loops; returns when everything was delivered, or soon after `stopping` is set."""
        self._finished.publish(Bool(data=False))
        for stream, message in self._playback.latched():
            self._publish(stream, message)
        self._await_subscribers()
        self._await_answerer()
        self._log_what_is_played()
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
        topic = {**camera_topics(o.topic_prefix), TF: TF_TOPIC, TF_STATIC: TF_STATIC_TOPIC}[stream]
        if o.keep_topics:
            topic = self._playback.names.get(stream, topic)
        special = {TF: tf_qos(), TF_STATIC: tf_static_qos(), LABEL_INFO: latched_qos()}
        qos = special.get(stream) or image_qos(o.image_reliability)
        return self.create_publisher(self._playback.kinds[stream], topic, qos)

    def _await_subscribers(self) -> None:
        """Wait until a mapper subscribes to everything that it needs; not every mapper needs label images."""
        needed = {p.topic_name: p for stream, p in self._out.items() if stream not in (LABELS, LABEL_INFO)}
        deadline = time.monotonic() + self.options.wait_for_subscribers_s
        while not self.stopping.is_set():
            missing = [name for name, publisher in needed.items() if not publisher.get_subscription_count()]
            if not missing:
                self.stopping.wait(_SETTLE_S)
                return
            if time.monotonic() > deadline:
                if self.options.wait_for_subscribers_s:
                    self.get_logger().warning(f"no subscriber of {', '.join(missing)}; playing anyway")
                return
            self._tick_clock(self._playback.start_ns)
            self.stopping.wait(0.05)

    def _await_answerer(self) -> None:
        """Pace feedback: wait until the answers of the mapper are found."""
        if self._pace is None:
            return
        topic = self.resolve_topic_name(of_node(self.options.mapper, FRAME_DONE))
        deadline = time.monotonic() + _ANSWERER_S
        while not self.count_publishers(topic) and not self.stopping.is_set():
            if time.monotonic() > deadline:
                self._pace.is_silent = True
                return
            self.stopping.wait(0.05)

    def _log_what_is_played(self) -> None:
        playback = self._playback
        how = "each sent when the mapper has finished the ones before"
        if self._pace is None:
            how = f"{(playback.end_ns - playback.start_ns) * 1e-9:.1f} s at {self.options.rate:g}x"
        self.get_logger().info(f"playing {playback.name}, {how}")

    def _play_once(self) -> None:
        playback = self._playback
        length_ns = max(1, playback.end_ns - playback.start_ns)
        start = 0.0
        for moment in self._prepared():
            start = start or time.monotonic()  # only now: reading the first one took its time
            self._await_turn(start, moment)
            if self.stopping.is_set():
                return
            if moment.is_frame:
                self._publish_clock(moment.time_ns)
                share = (moment.time_ns - playback.start_ns) / length_ns
                self._progress.publish(Float32(data=min(1.0, share)))
            for stream, message in moment.messages:
                self._publish(stream, message)
        self._await_end(start or time.monotonic())
        self._progress.publish(Float32(data=1.0))

    def _await_turn(self, start: float, moment: Moment) -> None:
        """Wait until a moment's messages may go out."""
        if self._pace is None:
            self._sleep_until(start, moment.time_ns)
        elif moment.color_stamp_ns is not None:
            while not self.stopping.is_set() and not self._pace.wait_for_turn(self._clock_period_s):
                self._tick_clock(moment.time_ns)
            self._warn_if_silent()
            self._pace.sent(moment.color_stamp_ns)

    def _await_end(self, start: float) -> None:
        """Wait until the last frame is over."""
        if self._pace is None:
            self._sleep_until(start, self._playback.end_ns)
            return
        while not self.stopping.is_set() and not self._pace.wait_for_all(self._clock_period_s):
            self._tick_clock(self._playback.end_ns)
        self._warn_if_silent()

    def _sleep_until(self, start: float, time_ns: int) -> None:
        """Sleep until a moment of the sequence, keeping /clock going."""
        rate = self.options.rate
        due = start + (time_ns - self._playback.start_ns) * 1e-9 / rate
        while (left := due - time.monotonic()) > 0 and not self.stopping.is_set():
            self._tick_clock(time_ns - round(left * rate * 1e9))
            self.stopping.wait(min(left, self._clock_period_s))

    def _on_frame_done(self, msg: TimeMsg) -> None:
        if self._pace is not None:
            self._pace.done(Time.from_msg(msg).nanoseconds)

    def _warn_if_silent(self) -> None:
        if self._pace is not None and self._pace.is_silent:
            topic = self.resolve_topic_name(of_node(self.options.mapper, FRAME_DONE))
            text = f"no mapper answers on {topic}: playing one frame every {SLOW_S:g} s"
            self._log.warn("silence", text)

    def _prepared(self) -> Iterator[Moment]:
        """Yield the moments, read and converted by a thread of its own; unreadable ones are skipped with a warning.

        What else the reading raises is raised here: the thread must not end in silence while the player waits for it.
        """
        ready: queue.Queue[Moment | Exception | None] = queue.Queue(self._playback.ahead)
        gone = threading.Event()

        def put(moment: Moment | Exception | None) -> None:
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
                    self.get_logger().warning(f"frame left out: {error}")
                    continue
                except Exception as error:  # noqa: BLE001 (handed to the thread that plays)
                    return put(error)
                put(moment)
                if moment is None:
                    return

        thread = threading.Thread(target=read, name="read", daemon=True)
        thread.start()
        try:
            while (moment := ready.get()) is not None:
                if isinstance(moment, Exception):
                    raise moment
                yield moment
        finally:
            gone.set()
            thread.join()

    def _publish(self, stream: str, message: Any) -> None:
        publisher = self._out.get(stream)
        if publisher is not None:
            publisher.publish(message)

    @property
    def _clock_period_s(self) -> float:
        return 1.0 / self.options.clock_rate_hz

    def _tick_clock(self, time_ns: int) -> None:
        if time.monotonic() >= self._clock_due:
            self._publish_clock(time_ns)

    def _publish_clock(self, time_ns: int) -> None:
        self._clock_due = time.monotonic() + self._clock_period_s
        if self._clock_out is not None:
            self._clock_out.publish(Clock(clock=Time(nanoseconds=max(time_ns, 0)).to_msg()))

    def _await_delivery(self) -> None:
        deadline = time.monotonic() + _ACKNOWLEDGE_S
        for publisher in [*self._out.values(), self._finished]:
            publisher.wait_for_all_acked(Duration(seconds=max(0.0, deadline - time.monotonic())))


def main(args: list[str] | None = None) -> int:
    """Entry point of `ros2 run sem_field_ros sequence_player`; ends by itself after the last frame."""
    player = start_node(PLAYER, SequencePlayer, args)
    if player is None:
        return REFUSED
    with spinning_beside(player, player.stopping):
        try:
            player.play()
        except KeyboardInterrupt:
            pass
        except Exception:  # a signal shuts ROS down under the publishers: what they raise then is not a fault
            if rclpy.ok():
                raise
    return DONE


if __name__ == "__main__":
    sys.exit(main())
