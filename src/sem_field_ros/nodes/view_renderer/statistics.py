"""Counts what the view renderer does: frames, keyframes, answers, refusals. Thread-safe; no rclpy."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

from sem_field_ros.measurements import StageTimings

_LATEST = 50  # answers that the share of late ones is taken over


@dataclass(frozen=True)
class ViewSnapshot:
    """The statistics at one moment. `recent_used` counts the frames used since the snapshot before."""

    frames_used: int
    recent_used: int
    keyframes: int
    answers: int
    coarse: int  # answers with a coarseness above 1
    late: int
    late_ratio: float  # of the latest answers
    refused: dict[str, int]  # requests without a view, by cause
    events: dict[str, int]
    timings_ms: dict[str, dict[str, float]]


class ViewStatistics:
    """Counters of one view renderer."""

    def __init__(self) -> None:
        self.timings = StageTimings()
        self._lock = threading.Lock()
        self._used = self._before = self._keyframes = self._answers = self._coarse = self._late = 0
        self._latest: deque[bool] = deque(maxlen=_LATEST)  # was it late
        self._refused: Counter[str] = Counter()
        self._events: Counter[str] = Counter()

    def used(self, keyframe: bool) -> None:
        """Count a frame that was looked at."""
        with self._lock:
            self._used += 1
            self._keyframes += keyframe

    def event(self, cause: str) -> None:
        """Count something that lost no frame."""
        with self._lock:
            self._events[cause] += 1

    def answered(self, coarseness: int, seconds: float, deadline_s: float) -> None:
        """Count a view that was delivered."""
        with self._lock:
            self._answers += 1
            self._coarse += coarseness > 1
            self._late += seconds > deadline_s
            self._latest.append(seconds > deadline_s)
        self.timings.add("answer", seconds * 1e3)

    def refused(self, cause: str) -> None:
        """Count a request that got no view."""
        with self._lock:
            self._refused[cause] += 1

    def snapshot(self) -> ViewSnapshot:
        """Return the present numbers."""
        with self._lock:
            recent, self._before = self._used - self._before, self._used
            return ViewSnapshot(
                self._used,
                recent,
                self._keyframes,
                self._answers,
                self._coarse,
                self._late,
                sum(self._latest) / len(self._latest) if self._latest else 0.0,
                dict(sorted(self._refused.items())),
                dict(sorted(self._events.items())),
                self.timings.percentiles(),
            )
