"""Diagnostics of a mapper are read whatever else is in the message, and whatever is wrong with the values."""

from __future__ import annotations

import math

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from sem_field_ros.ros.mapper_status import ERROR, INPUT, MapperStatus, mapper_status, status_message


def array(**sections: dict[str, str]) -> DiagnosticArray:
    return DiagnosticArray(
        status=[
            DiagnosticStatus(name=f"m: {name}", values=[KeyValue(key=k, value=v) for k, v in values.items()])
            for name, values in sections.items()
        ]
    )


def test_other_nodes_are_passed_over() -> None:
    message = status_message("front_mapper", MapperStatus(frames_mapped=3))
    message.status += status_message("back_mapper", MapperStatus(frames_mapped=9)).status
    found = mapper_status(message, "/front_mapper")
    assert found is not None and found.frames_mapped == 3
    assert mapper_status(message, "mapper") is None


def test_the_problem_is_the_text_of_what_is_not_ok() -> None:
    message = status_message("m", MapperStatus(state="active"), {INPUT: (ERROR, "no depth")})
    found = mapper_status(message, "m")
    assert found is not None and found.problem == "no depth"


def test_values_may_be_missing_or_nonsense() -> None:
    found = mapper_status(
        array(
            input={"frames_in": "many", "drops/overload": "2", "drops/bad_pose": "nan", "waiting_frames": "1e400"},
            processing={"frames_mapped": "4.0", "fuse_ms_p50": "nan", "fuse_ms_p95": "3.0"},
        ),
        "m",
    )
    timings = {"fuse": {"p95": 3.0}}
    assert found == MapperStatus(
        drops={"overload": 2}, frames_mapped=4, timings_ms=timings, resident_mb=found.resident_mb
    )
    assert math.isnan(found.resident_mb) and math.isnan(found.latency_p95_ms)


def test_the_counters_to_show() -> None:
    timings = {"latency": {"p50": 80.0, "p95": 1234.0}}
    status = MapperStatus("active", frames_in=2000, frames_mapped=1500, timings_ms=timings, resident_mb=612.4)
    assert status.counters == {
        "Latency p95": "1,234 ms",
        "Frames mapped": "1,500 of 2,000",
        "Keyframes": "0",
        "Mapper memory": "612 MB",
    }
    assert MapperStatus("inactive").counters["State"] == "inactive"
    assert MapperStatus("active", paused=True).counters["State"] == "paused"
