"""A replay paced by answers, with a hand-moved clock: never more frames on their way than allowed, never stuck."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.nodes.player.pacing import SLOW_S, FeedbackPace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make(frames_ahead: int = 2, timeout_s: float = 10.0) -> tuple[FeedbackPace, Clock]:
    clock = Clock()
    return FeedbackPace(frames_ahead, timeout_s, clock), clock


def may_go(pace: FeedbackPace) -> bool:
    return pace.wait_for_turn(0.0)


def test_a_frame_goes_when_one_before_is_done() -> None:
    pace, _ = make()
    for stamp in (1, 2):
        assert may_go(pace)
        pace.sent(stamp)
    assert not may_go(pace)
    pace.done(1)
    assert may_go(pace)
    pace.sent(3)
    assert not may_go(pace) and not pace.is_silent


def test_an_answer_is_one_for_the_frames_before_it_as_well() -> None:
    """One frame was lost on the way."""
    pace, _ = make()
    pace.sent(1)
    pace.sent(2)
    pace.done(2)
    assert pace.wait_for_all(0.0)


def test_a_looped_sequence_has_the_same_stamps_again() -> None:
    pace, _ = make()
    pace.sent(2)
    pace.sent(1)  # the next pass begins before the last answer
    pace.done(2)
    assert not pace.wait_for_all(0.0)
    pace.done(1)
    assert pace.wait_for_all(0.0)


def test_without_answers_frames_go_slowly_until_one_comes() -> None:
    pace, clock = make(frames_ahead=1)
    pace.sent(1)
    clock.now += 9.9
    assert not may_go(pace)
    clock.now += 0.1
    assert may_go(pace) and pace.is_silent
    pace.sent(2)
    clock.now += 0.9 * SLOW_S
    assert not may_go(pace)
    clock.now += 0.1 * SLOW_S
    assert may_go(pace)
    pace.sent(3)
    pace.done(1)  # late, but an answer
    assert not pace.is_silent
    clock.now += 9.9
    assert not may_go(pace)
    pace.done(3)
    assert may_go(pace)


def test_a_slow_mapper_is_given_time() -> None:
    pace, clock = make(frames_ahead=1)
    pace.sent(1)
    clock.now += 8.0
    pace.done(1)
    pace.sent(2)
    clock.now += 23.0
    assert not may_go(pace), "three times the slowest answer"
    clock.now += 1.0
    assert may_go(pace)


def test_waiting_ends_with_the_answer() -> None:
    pace = FeedbackPace(1, 10.0)
    pace.sent(1)
    threading.Timer(0.1, pace.done, [1]).start()
    start = time.monotonic()
    assert pace.wait_for_turn(5.0)
    assert 0.05 < time.monotonic() - start < 3


@given(st.lists(st.sampled_from(["send", "done", "lost", "wait"]), max_size=80), st.integers(1, 4))
def test_bounded_and_never_stuck(actions: list[str], frames_ahead: int) -> None:
    pace, clock = make(frames_ahead)
    out: list[int] = []
    stamp = 0
    for action in actions:
        if action == "send" and may_go(pace):
            stamp += 1
            out.append(stamp)
            pace.sent(stamp)
        elif action == "done" and out:
            pace.done(out.pop(0))
        elif action == "lost" and out:
            out.pop(0)
        elif action == "wait":
            clock.now += 3.0
        assert len(pace._sent_s) <= frames_ahead
    for _ in range(2 * frames_ahead):
        clock.now += 1000.0
        pace.wait_for_turn(0.0)
    assert may_go(pace)
