"""What exists between configure and cleanup of the mapper node: model, maps, mapping thread, publishers, input."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from std_msgs.msg import Header

from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import UNLABELLED_ID, UNLABELLED_ID_16, LabelSet, load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.depth_use import depth_use
from sem_field_ros.mapping.mapper import FrameResult, Mapper
from sem_field_ros.mapping.submaps import Submaps
from sem_field_ros.nodes.camera_session import CameraSession
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.nodes.mapper.output import MapOutput
from sem_field_ros.nodes.mapper.statistics import MappingStatistics
from sem_field_ros.ros.camera_input import InputFrame
from sem_field_ros.segmentation.registry import takes_label_images
from sem_field_ros.segmentation.segmenter import Segmenter


class MappingSession(CameraSession[MapperOptions]):
    """See the module and CameraSession."""

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
        super().__init__(
            node,
            options,
            input_statistics,
            input_group,
            "mapping",
            want_depth=config.depth_source == "depth",
            want_labels=takes_label_images(options.segmenter),
        )
        self.config, self.labels = config, labels
        self.map_stats: dict[str, float] = {}
        self.submaps = Submaps(Mapper(config, segmenter, labels), options.max_submaps)
        self._statistics = statistics
        self._source_labels = load_label_set(options.label_image_set) if options.label_image_set else labels
        self.output = MapOutput(node, labels, statistics, self.worker.notify)

    def _opened(self) -> None:
        """Publish the map as it is."""
        self.output.publish_label_info(self.options)
        self.output.resend()

    def _close_output(self) -> None:
        self.output.close()

    def _frame_done(self, stamp_ns: int) -> None:
        self.output.frame_done(stamp_ns)

    # -- on the mapping thread --------------------------------------------------------------------------------------

    def _publish(self) -> float | None:
        return self.output.publish_map(self.submaps, self.options)

    def _refresh_numbers(self) -> None:
        before, self.map_stats = self.map_stats, self.submaps.stats()
        evicted = int(self.map_stats["evicted_blocks"] - before.get("evicted_blocks", 0))
        if evicted > 0 and not self.config.map_radius_m:
            text = f"{evicted} blocks were removed: the map is larger than max_blocks {self.config.max_blocks}"
            self.note("blocks_evicted", f"{text}; raise it, or voxel_size_m")

    def _take(self, found: InputFrame) -> None:
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
        if self.config.depth_source == "depth" and frame.depth is not None:
            use = depth_use(frame.depth, self.config)
            if why := use.reason(self.config):
                self.note(use.kind, f"a frame adds nothing to the map: {why}")
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

    def _map_jumped(self) -> str:
        self._statistics.event("map_jump")
        return self._carry_out(self.options.on_map_jump)

    def _camera_jumped(self) -> str:
        return self._carry_out(self.options.on_camera_jump)

    def _carry_out(self, policy: str) -> str:
        if policy == "reset":
            self.reset()
        elif policy == "new_submap":
            self.submaps.begin_submap()
            self.output.map_replaced()
        return policy

    def reset(self) -> None:
        """Empty the map. For the mapping thread."""
        self.submaps.reset()
        self.output.map_replaced()

    def describe(self) -> dict[str, Any]:
        """What this node adds to a saved map's header."""
        stamp = self.output.header.stamp
        return {"frame_id": self.options.global_frame, "stamp_ns": stamp.sec * 1_000_000_000 + stamp.nanosec}
