"""Frames that wait for their transform, then to be used: bounded, newest wins, every loss counted by cause."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sem_field_ros.camera_stream.pairing import FrameBundle
from sem_field_ros.geometry.transform_tree import TransformError


@dataclass(frozen=True)
class WaitingFrame:
    """A complete bundle and when it came, steady seconds."""

    bundle: FrameBundle
    arrival_s: float


class WaitingFrames:
    """The queue between ROS callbacks (`push`) and the thread that uses the frames (`pop`). Thread-safe.

    lookup       bundle -> T_world_camera; raises TransformError, whose `retry` is true if waiting may help
    drop         called with each lost bundle, the cause, and why (empty: to be expected). Causes: queue_full (too many
                 wait for a transform), overload (`pop` is called more slowly than frames come), clock_jump, or the
                 transform's own cause after `tolerance_s`
    """

    def __init__(
        self,
        lookup: Callable[[FrameBundle], np.ndarray],
        drop: Callable[[FrameBundle, str, str], None],
        max_waiting: int,
        max_ready: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tolerance_s = 0.5
        self._lookup = lookup
        self._drop = drop
        self._max_waiting = max_waiting
        self._max_ready = max_ready
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[WaitingFrame] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, bundle: FrameBundle) -> None:
        """Add a bundle; the oldest leaves where too many wait."""
        with self._lock:
            self._waiting.append(WaitingFrame(bundle, self._clock()))
            if len(self._waiting) > self._max_waiting:
                self._drop(self._waiting.popleft().bundle, "queue_full", "too many frames wait for their transform")

    def pop(self) -> tuple[WaitingFrame, np.ndarray] | None:
        """Return the oldest of the newest `max_ready` frames that have a transform, and it; None where none has."""
        with self._lock:
            ready, still_waiting = self._sort()
            while len(ready) > self._max_ready:
                self._drop(ready.popleft()[0].bundle, "overload", "")  # expected on a slow machine
            first = ready.popleft() if ready else None
            rest = [frame for frame, _ in ready] + still_waiting
            self._waiting = deque(sorted(rest, key=lambda frame: frame.arrival_s))
            return first

    def _sort(self) -> tuple[deque[tuple[WaitingFrame, np.ndarray]], list[WaitingFrame]]:
        """Split into frames with a transform and frames that can still get one; the others are dropped."""
        ready: deque[tuple[WaitingFrame, np.ndarray]] = deque()
        waiting: list[WaitingFrame] = []
        now = self._clock()
        for frame in self._waiting:
            try:
                ready.append((frame, self._lookup(frame.bundle)))
            except TransformError as error:
                if error.retry and now - frame.arrival_s < self.tolerance_s:
                    waiting.append(frame)
                else:
                    self._drop(frame.bundle, error.cause, str(error))
        return ready, waiting

    def clear(self, cause: str) -> None:
        """Drop all, counted under `cause`."""
        with self._lock:
            for frame in self._waiting:
                self._drop(frame.bundle, cause, "")
            self._waiting.clear()
