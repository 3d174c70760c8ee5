"""Bounded work: a slot in which the newest wins, and a pace that a slow job slows down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_REST = 3.0  # a job rests this many times as long as it took, so that it takes a quarter of a core at most


class Newest(Generic[T]):
    """Holds the newest offer until it is taken; offers that nobody took are gone. Safe between threads.

    What is offered is a function that makes the value, so that a message which is never shown is never decoded.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._make: Callable[[], T] | None = None

    def offer(self, make: Callable[[], T]) -> None:
        """Put an offer in place of the one that waits."""
        with self._lock:
            self._make = make

    def take(self) -> Callable[[], T] | None:
        """The waiting offer, which then is gone; None where there is none."""
        with self._lock:
            make, self._make = self._make, None
            return make

    def __bool__(self) -> bool:
        return self._make is not None


class RateLimit:
    """When a job may run again: not more often than its rate, and never more than a share of the time."""

    def __init__(self, rate_hz: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = 1.0 / rate_hz
        self._clock = clock
        self._next = -float("inf")
        self._started = 0.0

    def due(self) -> bool:
        """Whether the job may run now."""
        return self._clock() >= self._next

    def reset(self) -> None:
        """Let the job run now: a user waits for it."""
        self._next = -float("inf")

    def __enter__(self) -> RateLimit:
        self._started = self._clock()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._clock()
        self._next = now + max(self._period - (now - self._started), _REST * (now - self._started))
