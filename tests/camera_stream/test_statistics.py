"""Statistics of a camera input with a hand-moved clock."""

from __future__ import annotations

import pytest

from sem_field_ros.camera_stream.statistics import InputStatistics


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statistics(clock: Clock) -> InputStatistics:
    made = InputStatistics(clock)
    made.expect(["/color", "/depth"])
    return made


def test_counts(statistics: InputStatistics) -> None:
    statistics.arrived("/color", is_frame=True)
    statistics.arrived("/color", is_frame=True)
    statistics.arrived("/depth")
    statistics.drop("bad_image", 2)
    statistics.drop("bad_image", 0)
    statistics.event("clock_jump_back")
    snapshot = statistics.snapshot()
    assert (snapshot.frames_in, snapshot.recent_in) == (2, 2)
    assert snapshot.drops == {"bad_image": 2}
    assert snapshot.events == {"clock_jump_back": 1}
    assert snapshot.never_came == ()
    again = statistics.snapshot()
    assert (again.frames_in, again.recent_in) == (2, 0)


def test_rates(statistics: InputStatistics, clock: Clock) -> None:
    for _ in range(31):
        statistics.arrived("/color")
        clock.now += 0.1
    rates = statistics.snapshot().rates_hz
    assert rates["/color"] == pytest.approx(10)
    assert rates["/depth"] == 0
    clock.now += 60
    assert statistics.snapshot().rates_hz["/color"] == 0


def test_silence_counts_from_the_last_message_or_the_start(statistics: InputStatistics, clock: Clock) -> None:
    clock.now += 2
    statistics.arrived("/color")
    clock.now += 3
    snapshot = statistics.snapshot()
    assert snapshot.silent_s == {"/color": 3, "/depth": 5}
    assert snapshot.never_came == ("/depth",)


def test_a_topic_that_need_come_only_once_is_silent_only_before(statistics: InputStatistics, clock: Clock) -> None:
    statistics.expect(["/color", "/info"], once=["/info"])
    clock.now += 5
    assert statistics.snapshot().silent_s == {"/color": 5, "/info": 5}
    statistics.arrived("/color")
    statistics.arrived("/info")
    clock.now += 7
    assert statistics.snapshot().silent_s == {"/color": 7, "/info": 0}
