"""CameraSession: what exists between configure and cleanup of a node that feeds camera frames to a network.

One thread owns the networks and what they make (worker.py); ROS callbacks only queue. Subclasses say what is done with
a frame and what is published.
"""

from __future__ import annotations

import time
import traceback
from typing import Generic, TypeVar

import torch
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo

from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.camera_stream.time_policy import FrameJumpWatch, SpeedWatch
from sem_field_ros.camera_stream.topics import TF_TOPIC
from sem_field_ros.errors import FrameError, SemFieldError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.transform_tree import TransformError
from sem_field_ros.nodes.camera_node_options import CameraNodeOptions
from sem_field_ros.nodes.worker import Worker
from sem_field_ros.ros.camera_input import CameraInput, InputFrame
from sem_field_ros.ros.parameters import settings_from_node
from sem_field_ros.ros.sparse_log import SparseLog
from sem_field_ros.ros.transforms import TransformBuffer

_NOTE_S = 5.0  # how long an event stands in the diagnostics
_REFRESH_S = 0.5  # how often options and numbers are read anew

Options = TypeVar("Options", bound=CameraNodeOptions)


class CameraSession(Generic[Options]):
    """Made by on_configure, closed by on_cleanup. `activate` and `deactivate` open and close the input."""

    def __init__(
        self,
        node: LifecycleNode,
        options: Options,
        input_statistics: InputStatistics,
        input_group: CallbackGroup,
        thread: str,
        *,
        want_depth: bool,
        want_labels: bool,
    ) -> None:
        self.options = options
        self.paused = False
        self.input: CameraInput | None = None
        self._node, self._group = node, input_group
        self._input_statistics = input_statistics
        self._want_depth, self._want_labels = want_depth, want_labels
        self._log = SparseLog(node)
        self._odom_jumps, self._camera_jumps = FrameJumpWatch(), SpeedWatch()
        self._recent_notes: dict[str, tuple[str, float]] = {}
        self._odom_missing_told = False
        self._refreshed_s = 0.0
        self._camera_info: CameraInfo | None = None  # of the input before
        self.transforms = TransformBuffer(node, callback_group=input_group)
        self.worker = Worker(self._step, self._failed, thread)

    # -- for subclasses -----------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget all frames. For the worker's thread."""
        raise NotImplementedError

    def _take(self, found: InputFrame) -> None:
        """Use one frame. FrameErrors are counted as losses."""
        raise NotImplementedError

    def _publish(self) -> float | None:
        """Publish what is due; return the seconds until there may be more to publish, None if nothing waits."""
        return None

    def _opened(self) -> None:
        """The input is about to become active."""

    def _frame_done(self, stamp_ns: int) -> None:
        """A frame was used or lost. From any thread."""

    def _refresh_numbers(self) -> None:
        """Twice a second: read anew what diagnostics show."""

    def _map_jumped(self) -> str:
        """global_frame -> odom_frame jumped: do what the options say, and return that policy."""
        raise NotImplementedError

    def _close_output(self) -> None:
        """Destroy publishers."""

    def _camera_jumped(self) -> str:
        """The camera moved faster than it can: do what the options say, and return that policy."""
        return "keep"

    # -- for the node -------------------------------------------------------------------------------------------------

    def activate(self) -> None:
        """Open the input."""
        self._odom_jumps.clear()
        self._camera_jumps.clear()
        opened = CameraInput(
            self._node,
            self.options,
            self.worker.notify,
            want_depth=self._want_depth,
            want_labels=self._want_labels,
            transforms=self.transforms,
            statistics=self._input_statistics,
            group=self._group,
            on_lost=self._frame_done,
            camera_info=self._camera_info,
        )
        opened.paused = self.paused
        self._opened()
        self.input = opened
        self.worker.notify()

    def deactivate(self) -> None:
        """Close the input and wait until the thread has finished its frame."""
        closing, self.input = self.input, None
        if closing is not None:
            self._camera_info = closing.camera_info
            closing.close()
        try:
            self.worker.call(lambda: None, self.options.service_timeout_s, "deactivate")
        except SemFieldError as error:
            self._node.get_logger().warning(str(error))

    def close(self, timeout_s: float) -> bool:
        """End the thread and give everything back; False where the thread did not end in time (it is left alone)."""
        closing, self.input = self.input, None
        if closing is not None:
            closing.close()
        if not self.worker.stop(timeout_s):
            return False
        self._close_output()
        self.transforms.destroy()
        return True

    def set_paused(self, paused: bool) -> None:
        """Drop frames instead of using them, or go on."""
        self.paused = paused
        if self.input is not None:
            self.input.paused = paused

    def notes(self) -> list[str]:
        """What makes the result inaccurate or incomplete now, a line each, for the diagnostics."""
        now, source = time.monotonic(), self.input
        topic = self._node.resolve_topic_name(TF_TOPIC)
        if source is not None and source.waiting_frames and not self.transforms.received:
            hint = "; with a namespace, give remap_tf:=true" if self._node.get_namespace() != "/" else ""
            self._recent_notes["no_tf"] = (f"nothing came on {topic}: is localisation running?{hint}", now + _NOTE_S)
        recent = [text for text, until_s in list(self._recent_notes.values()) if now < until_s]
        return recent + ([] if source is None else list(source.notes.values()))

    def note(self, kind: str, text: str) -> None:
        """Count an event, log it, and show it in the diagnostics for some seconds. From the worker's thread."""
        self._input_statistics.event(kind)
        self._recent_notes[kind] = (text, time.monotonic() + _NOTE_S)
        self._log.warn(kind, text)

    def lose(self, cause: str, why: str) -> None:
        """Count a frame that could not be used, and log why."""
        self._input_statistics.drop(cause)
        self._log.warn(cause, f"frame lost ({cause}): {why}")

    # -- on the worker's thread ---------------------------------------------------------------------------------------

    def _step(self) -> float | None:
        """Use one frame and publish what is due; return the seconds until there may be more to do."""
        source = self.input
        if source is None:
            return None
        self._refresh(source)
        if source.take_clock_jump():
            self._clock_jumped()
        found = source.pop()
        if found is not None:
            try:
                self._watch_jumps(found.frame)
                self._take(found)
            except FrameError as error:
                self.lose(error.cause, str(error))
            finally:
                self._frame_done(found.frame.stamp_ns)
        try:
            due = self._publish()
        except RuntimeError as error:  # rclpy's errors: a message was not sent, no frame was lost
            if not self._node.context.ok():
                raise
            self.note("publishing_failed", f"the result could not be published: {error}")
            due = _REFRESH_S
        return due if found is None else 0.0

    def _refresh(self, source: CameraInput) -> None:
        now = time.monotonic()
        if now - self._refreshed_s < _REFRESH_S:
            return
        self._refreshed_s = now
        self.options = settings_from_node(self._node, type(self.options))
        source.use_options(self.options)
        self._refresh_numbers()

    def _clock_jumped(self) -> None:
        self._odom_jumps.clear()
        self._camera_jumps.clear()
        self._node.get_logger().warning(f"the clock jumped back; on_clock_jump: {self.options.on_clock_jump}")
        if self.options.on_clock_jump == "reset":
            self.reset()

    def _watch_jumps(self, frame: PosedFrame) -> None:
        """A jump of map -> odom moves the camera too; it is one event."""
        o = self.options
        jumped = self._watch_map_jump(frame)
        fast = self._camera_jumps.too_fast(frame.stamp_ns, frame.T_world_camera, o.max_camera_speed_m_s)
        if fast is not None and not jumped:
            self.note(
                "camera_jump",
                f"the camera moved {fast[0]:.2f} m in {fast[1]:.2f} s, faster than max_camera_speed_m_s "
                f"{o.max_camera_speed_m_s:g}: was odometry reset? on_camera_jump: {self._camera_jumped()}",
            )

    def _watch_map_jump(self, frame: PosedFrame) -> bool:
        """Whether global_frame -> odom_frame jumped; then the options' policy was carried out."""
        o = self.options
        if not o.odom_frame or o.odom_frame == o.global_frame:
            return False
        try:
            T_map_odom = self.transforms.lookup(o.global_frame, o.odom_frame, frame.stamp_ns)
        except TransformError as error:
            if not self._odom_missing_told:
                self._odom_missing_told = True
                self._node.get_logger().info(f"jumps of '{o.odom_frame}' are not watched: {error}")
            return False
        moved = self._odom_jumps.jumped(frame.stamp_ns, T_map_odom, o.map_jump_distance_m, o.map_jump_angle_deg)
        if moved is None:
            return False
        self._node.get_logger().warning(
            f"{o.global_frame} -> {o.odom_frame} jumped by {moved[0]:.2f} m, {moved[1]:.1f} deg; "
            f"on_map_jump: {self._map_jumped()}"
        )
        return True

    def _failed(self, error: Exception) -> None:
        """A step raised an unexpected error: count it, log it, go on with the next frame."""
        if not self._node.context.ok():
            return  # shutting down: publishers are gone
        no_memory = isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or "allocate memory" in str(error)
        cause = "out_of_memory" if no_memory else "internal_error"
        self.lose(cause, f"{type(error).__name__}: {error}")
        if not no_memory:
            self._node.get_logger().debug("".join(traceback.format_exception(error)))
