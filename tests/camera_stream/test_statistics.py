"""Frame statistics with a hand-moved clock, and the diagnostics made from them."""

from __future__ import annotations

import math

import pytest

from sem_field_ros.camera_stream.statistics import FrameStatistics, percentiles
from sem_field_ros.nodes.mapper.diagnostics import MapperState, mapper_diagnostics
from sem_field_ros.nodes.mapper.options import MapperOptions


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statistics(clock: Clock) -> FrameStatistics:
    made = FrameStatistics(clock)
    made.expect(["/color", "/depth"])
    return made


def status(statistics: FrameStatistics, name: str, options: MapperOptions | None = None, **state) -> tuple[int, str]:
    known = {"lifecycle": "active", "paused": False, "waiting_frames": 0, "map_stats": {}, "resident_mb": 100.0}
    array = mapper_diagnostics("m", statistics.snapshot(), MapperState(**known | state), options or MapperOptions())
    found = {s.name: (s.level[0], s.message) for s in array.status}
    return found[f"m: {name}"]


def test_counts(statistics: FrameStatistics) -> None:
    statistics.arrived("/color", is_frame=True)
    statistics.arrived("/color", is_frame=True)
    statistics.arrived("/depth")
    statistics.drop("bad_image", 2)
    statistics.drop("bad_image", 0)
    statistics.mapped(True, {"integrate": 5.0})
    statistics.event("clock_jump_back")
    snapshot = statistics.snapshot()
    assert (snapshot.frames_in, snapshot.frames_mapped, snapshot.keyframes) == (2, 1, 1)
    assert snapshot.drops == {"bad_image": 2}
    assert snapshot.events == {"clock_jump_back": 1}
    assert snapshot.timings_ms == {"integrate": (5.0, 5.0)}
    assert (snapshot.recent_in, snapshot.recent_mapped) == (2, 1)
    assert (statistics.snapshot().recent_in, statistics.snapshot().frames_in) == (0, 2)


def test_rates(statistics: FrameStatistics, clock: Clock) -> None:
    for _ in range(31):
        statistics.arrived("/color")
        clock.now += 0.1
    rates = statistics.snapshot().rates_hz
    assert rates["/color"] == pytest.approx(10)
    assert rates["/depth"] == 0
    clock.now += 60
    assert statistics.snapshot().rates_hz["/color"] == 0


def test_percentiles() -> None:
    assert percentiles(range(1, 102)) == (51.0, 96.0)
    assert all(math.isnan(v) for v in percentiles([]))


def test_latency_of_another_clock_is_an_event(statistics: FrameStatistics) -> None:
    for since_stamp_ms in (120.0, -5.0, -1e6, 1e9):
        statistics.latency(since_stamp_ms, 20.0)
    snapshot = statistics.snapshot()
    assert snapshot.timings_ms["latency"] == (70.0, pytest.approx(115.0))  # of 120 and 20
    assert snapshot.timings_ms["arrival_to_cloud"] == (20.0, 20.0)
    assert snapshot.events == {"stamp_not_of_this_clock": 2}


def test_the_topic_that_never_came_is_named_with_its_level(statistics: FrameStatistics, clock: Clock) -> None:
    statistics.arrived("/color")
    assert status(statistics, "input") == (0, "ok")
    clock.now += 3
    statistics.arrived("/color")
    level, message = status(statistics, "input")
    assert level == 1 and message.startswith("/depth never came") and "/color" not in message
    clock.now += 8
    level, message = status(statistics, "input")
    assert level == 2 and "/color silent for 8.0 s" in message


def test_inactive_and_paused_nodes_do_not_warn(statistics: FrameStatistics, clock: Clock) -> None:
    clock.now += 100
    assert status(statistics, "input", lifecycle="inactive") == (0, "inactive")
    assert status(statistics, "input", paused=True) == (0, "paused")


@pytest.mark.parametrize(("mapped", "level"), [(10, 0), (4, 1), (0, 2)])
def test_lost_frames(statistics: FrameStatistics, mapped: int, level: int) -> None:
    statistics.arrived("/depth")
    for i in range(10):
        statistics.arrived("/color", is_frame=True)
        if i < mapped:
            statistics.mapped(False, {})
        else:
            statistics.drop("overload")
    found, message = status(statistics, "input")
    assert found == level
    assert level == 0 or (f"{100 - 10 * mapped} % of the frames lost" in message and "overload" in message)


@pytest.mark.parametrize(("value_ms", "level"), [(100.0, 0), (800.0, 1), (5000.0, 2)])
def test_latency_limits(statistics: FrameStatistics, value_ms: float, level: int) -> None:
    statistics.latency(value_ms, 1.0)
    found, message = status(statistics, "processing")
    assert found == level
    assert level == 0 or f"{value_ms:.0f} ms is above" in message


@pytest.mark.parametrize(("megabytes", "level"), [(100.0, 0), (3500.0, 1), (7000.0, 2), (math.nan, 0)])
def test_memory_limits(statistics: FrameStatistics, megabytes: float, level: int) -> None:
    assert status(statistics, "memory", resident_mb=megabytes)[0] == level
