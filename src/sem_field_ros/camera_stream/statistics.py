"""Counts what a camera input receives: messages by topic, frames, losses by cause. Thread-safe; works without ROS."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_WINDOW = 300  # latest arrivals of a topic that are kept
RATE_WINDOW_S = 5.0


@dataclass
class _Topic:
    """Arrivals of one topic, steady seconds."""

    name: str
    since_s: float
    arrivals_s: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))


@dataclass(frozen=True)
class InputSnapshot:
    """The statistics at one moment. `frames_in` counts colour images, `recent_in` those since the snapshot before."""

    frames_in: int
    recent_in: int
    drops: dict[str, int]  # lost frames by cause
    events: dict[str, int]  # what is worth counting and lost no frame
    rates_hz: dict[str, float]  # by topic
    silent_s: dict[str, float]  # by topic: seconds since its last message, or since the start where none came
    never_came: tuple[str, ...]  # topics


class InputStatistics:
    """Counters of one camera input. `clock` gives steady seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._topics: dict[str, _Topic] = {}
        self._once: frozenset[str] = frozenset()
        self._drops: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._frames_in = self._before = 0

    def expect(self, topics: Iterable[str], once: Iterable[str] = ()) -> None:
        """Name the topics that should come, from now on; those of `once` may be silent after their first message."""
        with self._lock:
            self._topics = {name: _Topic(name, self._clock()) for name in topics}
            self._once = frozenset(once)

    def arrived(self, topic: str, is_frame: bool = False) -> None:
        """Count a message. `is_frame` marks the topic whose messages count as frames."""
        with self._lock:
            if topic in self._topics:
                self._topics[topic].arrivals_s.append(self._clock())
            self._frames_in += is_frame

    def drop(self, cause: str, count: int = 1) -> None:
        """Count lost frames, or messages that would have become part of one."""
        if count > 0:
            with self._lock:
                self._drops[cause] += count

    def event(self, cause: str) -> None:
        """Count something that lost no frame."""
        with self._lock:
            self._events[cause] += 1

    def snapshot(self) -> InputSnapshot:
        """Return the present numbers."""
        with self._lock:
            now = self._clock()
            recent, self._before = self._frames_in - self._before, self._frames_in
            last = {t.name: t.arrivals_s[-1] if t.arrivals_s else t.since_s for t in self._topics.values()}
            last |= {t.name: now for t in self._topics.values() if t.name in self._once and t.arrivals_s}
            return InputSnapshot(
                frames_in=self._frames_in,
                recent_in=recent,
                drops=dict(sorted(self._drops.items())),
                events=dict(sorted(self._events.items())),
                rates_hz={t.name: _rate(t.arrivals_s, now) for t in self._topics.values()},
                silent_s={name: now - at for name, at in last.items()},
                never_came=tuple(t.name for t in self._topics.values() if not t.arrivals_s),
            )


def _rate(arrivals_s: Iterable[float], now_s: float) -> float:
    recent = [t for t in arrivals_s if now_s - t <= RATE_WINDOW_S]
    if len(recent) < 2 or recent[-1] <= recent[0]:
        return 0.0
    return (len(recent) - 1) / (recent[-1] - recent[0])
