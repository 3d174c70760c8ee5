"""The queue between callbacks and mapping thread: waiting for transforms, newest wins, each loss with its cause."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.camera_stream.waiting_frames import WaitingFrames
from sem_field_ros.geometry.transform_tree import TransformError


class Bench:
    """A queue with a hand-moved clock; `known` are the stamps that have a transform, `hopeless` never will."""

    def __init__(self, max_waiting: int = 5, max_ready: int = 2) -> None:
        self.now = 0.0
        self.known: set[int] = set()
        self.hopeless: set[int] = set()
        self.drops: Counter[str] = Counter()
        self.dropped: list[int] = []  # stamps
        self.queue = WaitingFrames(self.lookup, self.drop, max_waiting, max_ready, clock=lambda: self.now)
        self.queue.tolerance_s = 1.0

    def lookup(self, bundle) -> np.ndarray:
        if bundle.stamp_ns in self.hopeless:
            raise TransformError("no", "tf_extrapolation", retry=False)
        if bundle.stamp_ns not in self.known:
            raise TransformError("not yet", "tf_missing", retry=True)
        return np.eye(4) * bundle.stamp_ns

    def drop(self, bundle, cause: str, why: str) -> None:
        self.drops[cause] += 1
        self.dropped.append(bundle.stamp_ns)

    def push(self, *stamps: int) -> None:
        for stamp in stamps:
            self.queue.push(SimpleNamespace(stamp_ns=stamp))

    def pop(self) -> int | None:
        found = self.queue.pop()
        return None if found is None else found[0].bundle.stamp_ns


def test_a_frame_waits_for_its_transform() -> None:
    bench = Bench()
    bench.push(1)
    assert bench.pop() is None
    bench.known = {1}
    frame, T = bench.queue.pop()
    assert frame.bundle.stamp_ns == 1
    assert T[0, 0] == 1
    assert bench.drops == {}


def test_after_the_tolerance_it_is_dropped_with_the_transforms_cause() -> None:
    bench = Bench()
    bench.push(1)
    bench.now = 0.99
    assert bench.pop() is None and len(bench.queue) == 1
    bench.now = 1.0
    assert bench.pop() is None and len(bench.queue) == 0
    assert bench.drops == {"tf_missing": 1}


def test_what_waiting_cannot_help_is_dropped_at_once() -> None:
    bench = Bench()
    bench.hopeless = {1}
    bench.push(1)
    assert bench.pop() is None
    assert bench.drops == {"tf_extrapolation": 1}


def test_a_slow_mapper_gets_the_newest_in_order() -> None:
    bench = Bench(max_waiting=9, max_ready=2)
    bench.known = {1, 2, 3, 4, 5}
    bench.push(1, 2, 3, 4, 5)
    assert [bench.pop(), bench.pop(), bench.pop()] == [4, 5, None]
    assert bench.drops == {"overload": 3}
    assert bench.dropped == [1, 2, 3]


def test_a_frame_without_transform_does_not_hold_up_the_others() -> None:
    bench = Bench()
    bench.known = {2}
    bench.push(1, 2)
    assert bench.pop() == 2
    bench.known = {1}
    assert bench.pop() == 1


def test_the_oldest_leaves_where_too_many_wait() -> None:
    bench = Bench(max_waiting=2)
    bench.push(1, 2, 3)
    bench.known = {1, 2, 3}
    assert [bench.pop(), bench.pop(), bench.pop()] == [2, 3, None]
    assert bench.drops == {"queue_full": 1}
    assert bench.dropped == [1]


def test_clear_counts_what_it_drops() -> None:
    bench = Bench()
    bench.push(1, 2)
    bench.queue.clear("clock_jump")
    assert len(bench.queue) == 0
    assert bench.drops == {"clock_jump": 2}


@given(
    st.lists(st.sampled_from(["push", "pop", "know", "on_progress"]), max_size=60), st.integers(1, 4), st.integers(1, 3)
)
@pytest.mark.timeout(60)
def test_nothing_is_lost_uncounted(actions: list[str], max_waiting: int, max_ready: int) -> None:
    bench = Bench(max_waiting, max_ready)
    pushed = popped = 0
    for action in actions:
        if action == "push":
            pushed += 1
            bench.push(pushed)
        elif action == "know":
            bench.known.add(pushed)
        elif action == "on_progress":
            bench.now += 0.4
        elif bench.pop() is not None:
            popped += 1
        assert len(bench.queue) <= max_waiting
    assert pushed == popped + len(bench.queue) + sum(bench.drops.values())
