"""Counts what the mapper does: frames mapped, keyframes, durations, latencies. Thread-safe; no rclpy."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sem_field_ros.measurements import StageTimings

ARRIVAL_TO_CLOUD, LATENCY = "arrival_to_cloud", "latency"
MAX_LATENCY_MS = 600_000.0  # a longer one means that stamps and clock have nothing to do with each other


@dataclass(frozen=True)
class MappingSnapshot:
    """The statistics at one moment. `recent_mapped` counts the frames mapped since the snapshot before."""

    frames_mapped: int
    recent_mapped: int
    keyframes: int
    events: dict[str, int]
    timings_ms: dict[str, dict[str, float]]  # {p50, p95} by stage


class MappingStatistics:
    """Counters of one mapper node; those of its camera input are in camera_stream/statistics.py."""

    def __init__(self) -> None:
        self.timings = StageTimings()
        self._lock = threading.Lock()
        self._events: Counter[str] = Counter()
        self._mapped = self._keyframes = self._before = 0

    def mapped(self, keyframe: bool, timings_ms: Mapping[str, float]) -> None:
        """Count a frame that went into the map."""
        with self._lock:
            self._mapped += 1
            self._keyframes += keyframe
        for stage, value in timings_ms.items():
            self.timings.add(stage, value)

    def event(self, cause: str) -> None:
        """Count something that lost no frame."""
        with self._lock:
            self._events[cause] += 1

    def latency(self, since_stamp_ms: float, since_arrival_ms: float) -> None:
        """Record the time from a camera stamp to its cloud by the ROS clock, and from the image's arrival in real time.

        The first is at least the second (a simulated clock ticks coarsely); absurd ones are counted as an event.
        """
        self.timings.add(ARRIVAL_TO_CLOUD, since_arrival_ms)
        if -1e3 < since_stamp_ms < MAX_LATENCY_MS:
            self.timings.add(LATENCY, max(since_stamp_ms, since_arrival_ms))
        else:
            self.event("stamp_not_of_this_clock")

    def snapshot(self) -> MappingSnapshot:
        """Return the present numbers."""
        with self._lock:
            recent, self._before = self._mapped - self._before, self._mapped
            counted = (self._mapped, recent, self._keyframes, dict(sorted(self._events.items())))
        return MappingSnapshot(*counted, self.timings.percentiles())
