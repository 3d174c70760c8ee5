"""Bounded work: a slot that keeps the newest value, and a rate limit that slow jobs lower."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_REST = 3.0  # the pause after a job, in multiples of its duration: a job takes at most a quarter of a core


class Newest(Generic[T]):
    """Holds the newest offer until it is taken; older offers are dropped. Thread-safe.

    An offer is a function that makes the value, so that a message that is never shown is never decoded.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._make: Callable[[], T] | None = None

    def offer(self, make: Callable[[], T]) -> None:
        """Replace the waiting offer."""
        with self._lock:
            self._make = make

    def take(self) -> Callable[[], T] | None:
        """Take the waiting offer out; None if there is none."""
        with self._lock:
            make, self._make = self._make, None
            return make

    def __bool__(self) -> bool:
        return self._make is not None


class RateLimit:
    """When a job may run again: at most at its rate, and at most a share of the time."""

    def __init__(self, rate_hz: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = 1.0 / rate_hz
        self._clock = clock
        self._next = -float("inf")
        self._started = 0.0

    def due(self) -> bool:
        """Whether the job may run now."""
        return self._clock() >= self._next

    def reset(self) -> None:
        """Let the job run now, because a user waits for it."""
        self._next = -float("inf")

    def __enter__(self) -> RateLimit:
        self._started = self._clock()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._clock()
        self._next = now + max(self._period - (now - self._started), _REST * (now - self._started))
