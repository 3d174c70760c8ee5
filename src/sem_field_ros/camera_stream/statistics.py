"""Counts what happens to frames: in, mapped, dropped by cause, latencies. Thread-safe; knows no ROS."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

WINDOW = 300  # latest samples that percentiles are taken over
RATE_WINDOW_S = 5.0
MAX_LATENCY_MS = 600_000.0  # a longer one means that stamps and clock have nothing to do with each other


@dataclass
class _Topic:
    """Arrivals of one topic, steady seconds."""

    name: str
    since_s: float
    arrivals_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))


@dataclass(frozen=True)
class Snapshot:
    """The statistics at one moment. Milliseconds, steady seconds; percentiles are NaN without samples."""

    frames_in: int
    frames_mapped: int
    keyframes: int
    drops: dict[str, int]
    events: dict[str, int]
    timings_ms: dict[str, tuple[float, float]]  # stage -> p50, p95
    rates_hz: dict[str, float]  # topic -> rate
    silent_s: dict[str, float]  # topic -> seconds since its last message, or since the start where none came
    never_came: tuple[str, ...]
    recent_in: int  # frames in and mapped since the last snapshot
    recent_mapped: int


class FrameStatistics:
    """Collects counters from the ROS callbacks and the mapping thread. `clock` gives steady seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._topics: dict[str, _Topic] = {}
        self._drops: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._timings: dict[str, deque[float]] = {}
        self._frames_in = self._mapped = self._keyframes = 0
        self._before = (0, 0)

    def expect(self, topics: Iterable[str]) -> None:
        """Name the topics that should come, from now on."""
        with self._lock:
            self._topics = {name: _Topic(name, self._clock()) for name in topics}

    def arrived(self, topic: str, is_frame: bool = False) -> None:
        """One message came. `is_frame` marks the topic whose messages count as frames."""
        with self._lock:
            if topic in self._topics:
                self._topics[topic].arrivals_s.append(self._clock())
            self._frames_in += is_frame

    def drop(self, cause: str, count: int = 1) -> None:
        """A frame (or a message that would have become part of one) was lost."""
        if count > 0:
            with self._lock:
                self._drops[cause] += count

    def event(self, cause: str) -> None:
        """Something worth counting that lost no frame."""
        with self._lock:
            self._events[cause] += 1

    def mapped(self, keyframe: bool, timings_ms: Mapping[str, float]) -> None:
        """A frame went into the map."""
        with self._lock:
            self._mapped += 1
            self._keyframes += keyframe
        for stage, value in timings_ms.items():
            self.timing(stage, value)

    def timing(self, stage: str, value_ms: float) -> None:
        """A duration in milliseconds."""
        with self._lock:
            self._timings.setdefault(stage, deque(maxlen=WINDOW)).append(float(value_ms))

    def latency(self, since_stamp_ms: float, since_arrival_ms: float) -> None:
        """Time from a camera stamp to its publication by the ROS clock, and from the image's arrival by the wall clock.

        The first is at least the second (a simulated clock ticks coarsely); absurd ones are counted, not taken.
        """
        self.timing("arrival_to_cloud", since_arrival_ms)
        if -1e3 < since_stamp_ms < MAX_LATENCY_MS:
            self.timing("latency", max(since_stamp_ms, since_arrival_ms))
        else:
            self.event("stamp_not_of_this_clock")

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Record how long the block takes."""
        start_s = time.perf_counter()
        yield
        self.timing(stage, (time.perf_counter() - start_s) * 1e3)

    def snapshot(self) -> Snapshot:
        """Return the present numbers; the `recent_` ones count from the snapshot before."""
        with self._lock:
            now = self._clock()
            totals = (self._frames_in, self._mapped)
            recent = (totals[0] - self._before[0], totals[1] - self._before[1])
            self._before = totals
            last = {t.name: t.arrivals_s[-1] if t.arrivals_s else t.since_s for t in self._topics.values()}
            return Snapshot(
                frames_in=self._frames_in,
                frames_mapped=self._mapped,
                keyframes=self._keyframes,
                drops=dict(sorted(self._drops.items())),
                events=dict(sorted(self._events.items())),
                timings_ms={stage: percentiles(values) for stage, values in sorted(self._timings.items())},
                rates_hz={t.name: _rate(t.arrivals_s, now) for t in self._topics.values()},
                silent_s={name: now - at for name, at in last.items()},
                never_came=tuple(t.name for t in self._topics.values() if not t.arrivals_s),
                recent_in=recent[0],
                recent_mapped=recent[1],
            )


def percentiles(values: Iterable[float]) -> tuple[float, float]:
    """Return (p50, p95), NaN where there are no values."""
    values = list(values)
    if not values:
        return float("nan"), float("nan")
    p50, p95 = np.percentile(values, [50, 95])
    return float(p50), float(p95)


def _rate(arrivals_s: Iterable[float], now_s: float) -> float:
    recent = [t for t in arrivals_s if now_s - t <= RATE_WINDOW_S]
    if len(recent) < 2 or recent[-1] <= recent[0]:
        return 0.0
    return (len(recent) - 1) / (recent[-1] - recent[0])


def give_back_memory() -> None:
    """Return freed memory to the system where the C library can (glibc keeps it otherwise)."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
