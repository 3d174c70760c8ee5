"""What exists between configure and cleanup of the mapper node: model, maps, mapping thread, publishers, input."""

from __future__ import annotations

import time
import traceback
from typing import Any

import numpy as np
import torch
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from std_msgs.msg import Header

from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.camera_stream.time_policy import FrameJumpWatch
from sem_field_ros.errors import FrameError, SegmenterError, SemFieldError, SettingError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.transform_tree import TransformError
from sem_field_ros.labels import UNLABELLED_ID, UNLABELLED_ID_16, LabelSet, load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import FrameResult, Mapper
from sem_field_ros.mapping.submaps import Submaps
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.nodes.mapper.output import MapOutput
from sem_field_ros.nodes.mapper.statistics import MappingStatistics
from sem_field_ros.nodes.mapper.worker import MappingWorker
from sem_field_ros.ros.camera_input import CameraInput, InputFrame
from sem_field_ros.ros.parameters import settings_from_node
from sem_field_ros.ros.sparse_log import SparseLog
from sem_field_ros.ros.transforms import TransformBuffer
from sem_field_ros.segmentation.registry import labels_pixels, make_segmenter, takes_label_images
from sem_field_ros.segmentation.segmenter import Segmenter

_STATS_S = 0.5  # how often options and map statistics are read anew


def make_node_segmenter(options: MapperOptions, config: MapConfig) -> tuple[Segmenter | None, LabelSet]:
    """Make the segmenter a node is asked for, and the map's label set. Raises SemFieldError in one line."""
    if config.device.startswith("cuda") and not torch.cuda.is_available():
        raise SettingError(f"device '{config.device}': torch finds no CUDA GPU here; set device to cpu")
    if not labels_pixels(options.segmenter):
        return None, load_label_set(options.label_set or "scannet20")
    source = load_label_set(options.label_image_set) if options.label_image_set else None
    segmenter = make_segmenter(options.segmenter, options.label_set or None, config.label_width, config.device, source)
    return segmenter, segmenter.labels


class MappingSession:
    """Made by on_configure, closed by on_cleanup. `activate` and `deactivate` open and close the input."""

    def __init__(
        self,
        node: LifecycleNode,
        options: MapperOptions,
        config: MapConfig,
        segmenter: Segmenter | None,
        labels: LabelSet,
        statistics: MappingStatistics,
        input_statistics: InputStatistics,
        input_group: CallbackGroup,
    ) -> None:
        self.options, self.config, self.labels = options, config, labels
        self.paused = False
        self.map_stats: dict[str, float] = {}
        self.input: CameraInput | None = None
        self.submaps = Submaps(Mapper(config, segmenter, labels), options.max_submaps)
        self._node, self._group = node, input_group
        self._statistics, self._input_statistics = statistics, input_statistics
        self._log = SparseLog(node)
        self._source_labels = load_label_set(options.label_image_set) if options.label_image_set else labels
        self._wants_labels = takes_label_images(options.segmenter)
        self._odom_jumps = FrameJumpWatch()
        self._odom_missing_told = False
        self._refreshed_s = 0.0
        self.transforms = TransformBuffer(node, callback_group=input_group)
        self.worker = MappingWorker(self._step, self._failed)
        self.output = MapOutput(node, labels, statistics, self.worker.notify)

    def activate(self) -> None:
        """Open the input and publish the map as it is."""
        self._odom_jumps.clear()
        opened = CameraInput(
            self._node,
            self.options,
            self.worker.notify,
            want_depth=self.config.depth_source == "depth",
            want_labels=self._wants_labels,
            transforms=self.transforms,
            statistics=self._input_statistics,
            group=self._group,
            on_lost=self.output.frame_done,
        )
        opened.paused = self.paused
        self.output.publish_label_info(self.options)
        self.output.resend()
        self.input = opened
        self.worker.notify()

    def deactivate(self) -> None:
        """Close the input and wait until the mapping thread has finished its frame."""
        closing, self.input = self.input, None
        if closing is not None:
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
        self.output.close()
        self.transforms.destroy()
        return True

    def set_paused(self, paused: bool) -> None:
        """Drop frames instead of mapping them, or go on."""
        self.paused = paused
        if self.input is not None:
            self.input.paused = paused

    def lose(self, cause: str, why: str) -> None:
        """Count a frame that the map could not take, and log why."""
        self._input_statistics.drop(cause)
        self._log.warn(cause, f"frame lost ({cause}): {why}")

    # -- on the mapping thread --------------------------------------------------------------------------------------

    def _step(self) -> float | None:
        """Map one frame and publish what is due; return the seconds until there may be more to do."""
        source = self.input
        if source is None:
            return None
        self._refresh(source)
        if source.take_clock_jump():
            self._clock_jumped()
        found = source.pop()
        if found is not None:
            try:
                self._map(found)
            except FrameError as error:
                self.lose(error.cause, str(error))
            finally:
                self.output.frame_done(found.frame.stamp_ns)
        due = self.output.publish_map(self.submaps, self.options)
        return due if found is None else 0.0

    def _refresh(self, source: CameraInput) -> None:
        now = time.monotonic()
        if now - self._refreshed_s < _STATS_S:
            return
        self._refreshed_s = now
        self.options = settings_from_node(self._node, MapperOptions)
        source.use_options(self.options)
        self.map_stats = self.submaps.stats()

    def _map(self, found: InputFrame) -> None:
        self._watch_map_jump(found.frame)
        result = self._register(found.frame)
        mapped = result.mapped
        if mapped is None:
            return  # depth is predicted: the camera has to move on first
        source = found.header
        if mapped is not found.frame:  # an earlier frame
            source = Header(frame_id=source.frame_id, stamp=Time(nanoseconds=mapped.stamp_ns).to_msg())
        header = Header(frame_id=self.options.global_frame, stamp=source.stamp)
        self.output.frame_mapped(mapped, found.arrival_s, header)
        if result.probabilities is not None:
            self.output.publish_labels(result.probabilities, mapped, source, self.options.overlay_opacity)

    def _register(self, frame: PosedFrame) -> FrameResult:
        """Map a frame; if only its labels fail, its geometry is mapped all the same."""
        start_s = time.perf_counter()
        try:
            result = self.submaps.mapper.register_frame(frame)
        except SegmenterError as error:
            self._statistics.event("segmenter_failed")
            self._log.warn("segmenter_failed", f"a keyframe has no labels: {error}")
            result = FrameResult(False, mapped=frame)
        timings = result.timings_ms | {"processing": (time.perf_counter() - start_s) * 1e3}
        self._statistics.mapped(result.keyframe, timings)
        if result.keyframe and frame.labels is not None:
            self._check_label_ids(frame.labels)
        return result

    def _check_label_ids(self, labels: np.ndarray) -> None:
        unlabelled = UNLABELLED_ID if labels.dtype == np.uint8 else UNLABELLED_ID_16
        ids = np.flatnonzero(np.bincount(labels.reshape(-1)))
        unknown = [int(i) for i in ids if i not in (unlabelled, UNLABELLED_ID) and i not in self._source_labels.ids]
        if unknown:
            self._statistics.event("unknown_label_ids")
            text = f"label image ids {unknown[:8]} are not in label set '{self._source_labels.name}': they do not vote"
            self._log.warn("unknown_label_ids", text)

    def _clock_jumped(self) -> None:
        self._odom_jumps.clear()
        self._node.get_logger().warning(f"the clock jumped back; on_clock_jump: {self.options.on_clock_jump}")
        if self.options.on_clock_jump == "reset":
            self.reset()

    def _watch_map_jump(self, frame: PosedFrame) -> None:
        o = self.options
        if not o.odom_frame or o.odom_frame == o.global_frame:
            return
        try:
            T_map_odom = self.transforms.lookup(o.global_frame, o.odom_frame, frame.stamp_ns)
        except TransformError as error:
            if not self._odom_missing_told:
                self._odom_missing_told = True
                self._node.get_logger().info(f"jumps of '{o.odom_frame}' are not watched: {error}")
            return
        moved = self._odom_jumps.jumped(frame.stamp_ns, T_map_odom, o.map_jump_distance_m, o.map_jump_angle_deg)
        if moved is None:
            return
        self._statistics.event("map_jump")
        self._node.get_logger().warning(
            f"{o.global_frame} -> {o.odom_frame} jumped by {moved[0]:.2f} m, {moved[1]:.1f} deg; "
            f"on_map_jump: {o.on_map_jump}"
        )
        if o.on_map_jump == "reset":
            self.reset()
        elif o.on_map_jump == "new_submap":
            self.submaps.begin_submap()
            self.output.map_replaced()

    def reset(self) -> None:
        """Empty the map. For the mapping thread."""
        self.submaps.reset()
        self.output.map_replaced()

    def _failed(self, error: Exception) -> None:
        """A step raised an unexpected error: count it, log it, go on with the next frame."""
        if not self._node.context.ok():
            return  # shutting down: publishers are gone
        no_memory = isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or "allocate memory" in str(error)
        cause = "out_of_memory" if no_memory else "internal_error"
        self.lose(cause, f"{type(error).__name__}: {error}")
        if not no_memory:
            self._node.get_logger().debug("".join(traceback.format_exception(error)))

    def describe(self) -> dict[str, Any]:
        """What this node adds to a saved map's header."""
        stamp = self.output.header.stamp
        return {"frame_id": self.options.global_frame, "stamp_ns": stamp.sec * 1_000_000_000 + stamp.nanosec}
