"""The mapper's statistics and the diagnostics made of them: levels, and the line that says why."""

from __future__ import annotations

import math

import pytest

from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.nodes.health import LossWatch
from sem_field_ros.nodes.mapper.diagnostics import MapperState, mapper_diagnostics
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.nodes.mapper.statistics import MappingStatistics
from sem_field_ros.ros.mapper_status import MapperStatus, mapper_status


class Bench:
    """A mapper's statistics with a hand-moved clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.input = InputStatistics(lambda: self.now)
        self.input.expect(["/color", "/depth"])
        self.mapping = MappingStatistics()

    def message(self, **state):
        known = {"lifecycle": "active", "paused": False, "waiting_frames": 0, "map_stats": {}, "resident_mb": 100.0}
        snapshots = (self.input.snapshot(), self.mapping.snapshot())
        return mapper_diagnostics("m", *snapshots, MapperState(**known | state), MapperOptions())

    def health(self, section: str, **state) -> tuple[int, str]:
        found = {s.name: (s.level[0], s.message) for s in self.message(**state).status}
        return found[f"m: {section}"]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_mapping_counts(bench: Bench) -> None:
    bench.mapping.mapped(True, {"integrate": 5.0})
    bench.mapping.mapped(False, {"integrate": 7.0})
    bench.mapping.event("map_jump")
    snapshot = bench.mapping.snapshot()
    assert (snapshot.frames_mapped, snapshot.recent_mapped, snapshot.keyframes) == (2, 2, 1)
    assert snapshot.timings_ms == {"integrate": {"p50": 6.0, "p95": 6.9}}
    assert snapshot.events == {"map_jump": 1}
    assert (bench.mapping.snapshot().recent_mapped, bench.mapping.snapshot().frames_mapped) == (0, 2)


def test_latency_of_another_clock_is_an_event(bench: Bench) -> None:
    for since_stamp_ms in (120.0, -5.0, -1e6, 1e9):
        bench.mapping.latency(since_stamp_ms, 20.0)
    snapshot = bench.mapping.snapshot()
    assert snapshot.timings_ms["latency"] == {"p50": 70.0, "p95": 115.0}  # of 120 and 20
    assert snapshot.timings_ms["arrival_to_cloud"] == {"p50": 20.0, "p95": 20.0}
    assert snapshot.events == {"stamp_not_of_this_clock": 2}


def test_what_is_written_is_read(bench: Bench) -> None:
    bench.input.arrived("/color", is_frame=True)
    bench.input.drop("overload", 3)
    bench.input.event("stamp_gap")
    bench.mapping.event("map_jump")
    bench.mapping.mapped(True, {"integrate": 5.0})
    message = bench.message(
        waiting_frames=2, map_stats={"blocks": 12.0, "keyframes": 1.0}, refused_transforms={"bad_pose": 4}
    )
    status = mapper_status(message, "m")
    assert status == MapperStatus(
        state="active",
        frames_in=1,
        waiting_frames=2,
        rates_hz={"/color": 0.0, "/depth": 0.0},
        drops={"overload": 3},
        refused_transforms={"bad_pose": 4},
        events={"map_jump": 1, "stamp_gap": 1},
        frames_mapped=1,
        keyframes=1,
        timings_ms={"integrate": {"p50": 5.0, "p95": 5.0}},
        map_stats={"blocks": 12.0, "keyframes": 1.0},
        resident_mb=100.0,
    )
    assert status.done == 4


def test_the_topic_that_never_came_is_named_with_its_level(bench: Bench) -> None:
    bench.input.arrived("/color")
    assert bench.health("input") == (0, "ok")
    bench.now += 3
    bench.input.arrived("/color")
    level, message = bench.health("input")
    assert level == 1 and message.startswith("/depth never came") and "/color" not in message
    bench.now += 8
    level, message = bench.health("input")
    assert level == 2 and "/color silent for 8.0 s" in message


def test_inactive_and_paused_nodes_do_not_warn(bench: Bench) -> None:
    bench.now += 100
    assert bench.health("input", lifecycle="inactive") == (0, "inactive")
    assert bench.health("input", paused=True) == (0, "paused")


def test_notes_are_warnings(bench: Bench) -> None:
    assert bench.health("input", notes=("no /clock",)) == (1, "no /clock")


@pytest.mark.parametrize(("mapped", "level"), [(10, 0), (4, 1), (0, 2)])
def test_lost_frames(bench: Bench, mapped: int, level: int) -> None:
    bench.input.arrived("/depth")
    for i in range(10):
        bench.input.arrived("/color", is_frame=True)
        if i < mapped:
            bench.mapping.mapped(False, {})
        else:
            bench.input.drop("overload")
    found, message = bench.health("input")
    assert found == level
    assert level == 0 or (f"{100 - 10 * mapped} % of the frames lost" in message and "overload" in message)


@pytest.mark.parametrize(("value_ms", "level"), [(100.0, 0), (800.0, 1), (5000.0, 2)])
def test_latency_limits(bench: Bench, value_ms: float, level: int) -> None:
    bench.mapping.latency(value_ms, 1.0)
    found, message = bench.health("processing")
    assert found == level
    assert level == 0 or f"{value_ms:.0f} ms is above" in message


@pytest.mark.parametrize(("megabytes", "level"), [(100.0, 0), (3500.0, 1), (7000.0, 2), (math.nan, 0)])
def test_memory_limits(bench: Bench, megabytes: float, level: int) -> None:
    assert bench.health("memory", resident_mb=megabytes)[0] == level


def test_losses_are_judged_over_enough_frames_and_name_their_latest_cause() -> None:
    """A camera of one frame a diagnostics message: the verdict comes with the fifth and stands until the next."""
    watch, options, statistics = LossWatch(), MapperOptions(), InputStatistics()
    statistics.expect(["/color"])
    verdicts = []

    def frame(cause: str = "", used: int = 0) -> tuple[int, str]:
        statistics.arrived("/color", is_frame=True)
        if cause:
            statistics.drop(cause)
        return watch.judge(statistics.snapshot(), used, options)

    verdicts += [frame("tf_missing") for _ in range(7)]
    assert [level for level, _ in verdicts] == [0, 0, 0, 0, 2, 2, 2]
    assert "100 % of the frames lost (most often: tf_missing)" in verdicts[-1][1]
    verdicts = [frame("overload") for _ in range(8)]
    assert verdicts[2][1].endswith("(most often: overload)")  # two of tf_missing, three of overload
    assert "tf_missing" not in verdicts[-1][1]
    assert [frame(used=1)[0] for _ in range(5)][-1] == 0
    assert [frame(used=0)[0] for _ in range(5)] == [0] * 5  # nothing was dropped: they wait
