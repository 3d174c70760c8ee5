"""/diagnostics of the mapper: its numbers (ros/mapper_status.py), with levels by the limits in its options."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray

from sem_field_ros.camera_stream.statistics import InputSnapshot
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.nodes.mapper.statistics import LATENCY, MappingSnapshot
from sem_field_ros.ros.mapper_status import (
    ACTIVE,
    ERROR,
    INPUT,
    MEMORY,
    OK,
    PROCESSING,
    WARN,
    MapperStatus,
    status_message,
)


@dataclass(frozen=True)
class MapperState:
    """The state of the node, in addition to its statistics."""

    lifecycle: str  # unconfigured | inactive | active
    paused: bool
    waiting_frames: int
    map_stats: Mapping[str, float]  # SemanticMap.stats()
    resident_mb: float
    refused_transforms: Mapping[str, int] = field(default_factory=dict)  # by cause
    notes: tuple[str, ...] = ()  # conditions worth a WARN: "use_sim_time is on but nothing is published on /clock"


def mapper_diagnostics(
    name: str, received: InputSnapshot, mapped: MappingSnapshot, state: MapperState, options: MapperOptions
) -> DiagnosticArray:
    """Build the array (the caller stamps it): statuses `NAME: input`, `: processing`, `: map`, `: memory`."""
    status = MapperStatus(
        state=state.lifecycle,
        paused=state.paused,
        frames_in=received.frames_in,
        waiting_frames=state.waiting_frames,
        rates_hz=received.rates_hz,
        drops=received.drops,
        refused_transforms=state.refused_transforms,
        events=dict(sorted((received.events | mapped.events).items())),
        frames_mapped=mapped.frames_mapped,
        keyframes=mapped.keyframes,
        timings_ms=mapped.timings_ms,
        map_stats=state.map_stats,
        resident_mb=state.resident_mb,
    )
    memory = _above(state.resident_mb, options.warn_memory_mb, options.error_memory_mb, "resident memory", "MB")
    health = {
        INPUT: _input_health(received, mapped, state, options),
        PROCESSING: _processing_health(mapped, options),
        MEMORY: memory,
    }
    return status_message(name, status, health)


def _input_health(
    received: InputSnapshot, mapped: MappingSnapshot, state: MapperState, options: MapperOptions
) -> tuple[int, str]:
    if state.lifecycle != ACTIVE:
        return OK, state.lifecycle
    if state.paused:
        return OK, "paused"
    problems = [_silence(received, topic, silent_s, options) for topic, silent_s in received.silent_s.items()]
    problems.append(_losses(received, mapped, options))
    return _worst([*problems, *((WARN, note) for note in state.notes)])


def _silence(received: InputSnapshot, topic: str, silent_s: float, options: MapperOptions) -> tuple[int, str]:
    if silent_s < options.warn_input_timeout_s:
        return OK, ""
    level = ERROR if silent_s >= options.error_input_timeout_s else WARN
    if topic in received.never_came:
        hint = " (a camera without depth: depth_source: predicted)" if "depth" in topic else ""
        return level, f"{topic} never came: check the camera driver, the topic's remapping and its QoS{hint}"
    return level, f"{topic} silent for {silent_s:.1f} s"


def _losses(received: InputSnapshot, mapped: MappingSnapshot, options: MapperOptions) -> tuple[int, str]:
    if received.recent_in < 5 or not received.drops:
        return OK, ""
    ratio = max(0.0, 1 - mapped.recent_mapped / received.recent_in)
    top = max(received.drops, key=lambda cause: received.drops[cause])
    text = f"{100 * ratio:.0f} % of the frames lost (most often so far: {top})"
    if ratio > options.error_drop_ratio:
        return ERROR, text
    return (WARN, text) if ratio > options.warn_drop_ratio else (OK, "")


def _processing_health(mapped: MappingSnapshot, options: MapperOptions) -> tuple[int, str]:
    def p95(stage: str) -> float:
        return mapped.timings_ms.get(stage, {}).get("p95", math.nan)

    return _worst(
        [
            _above(p95(LATENCY), options.warn_latency_ms, options.error_latency_ms, "camera to cloud, p95,", "ms"),
            _above(
                p95("processing"), options.warn_processing_ms, options.error_processing_ms, "time a frame, p95,", "ms"
            ),
        ]
    )


def _above(value: float, warn: float, error: float, what: str, unit: str) -> tuple[int, str]:
    if not value > warn:  # NaN: nothing measured
        return OK, ""
    limit = error if value > error else warn
    return (ERROR if value > error else WARN), f"{what} {value:.0f} {unit} is above {limit:g} {unit}"


def _worst(problems: Iterable[tuple[int, str]]) -> tuple[int, str]:
    """The highest level, and all texts that are not OK in one line."""
    found = [(level, text) for level, text in problems if level > OK]
    return max((level for level, _ in found), default=OK), "; ".join(text for _, text in found if text)
