"""/diagnostics of the mapper: input, processing, map and memory, each with a level and one line that says why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from sem_field_ros.camera_stream.statistics import Snapshot
from sem_field_ros.nodes.mapper.options import MapperOptions

OK, WARN, ERROR = 0, 1, 2


@dataclass(frozen=True)
class MapperState:
    """What the node knows beside the frame statistics."""

    lifecycle: str  # unconfigured | inactive | active
    paused: bool
    waiting_frames: int
    map_stats: Mapping[str, float]  # SemanticMap.stats()
    resident_mb: float
    refused_transforms: Mapping[str, int] = field(default_factory=dict)  # by cause
    notes: tuple[str, ...] = ()  # conditions worth a WARN: "use_sim_time is on but nothing is published on /clock"


def mapper_diagnostics(name: str, snapshot: Snapshot, state: MapperState, options: MapperOptions) -> DiagnosticArray:
    """Build the array (the caller stamps it): statuses `NAME: input`, `: processing`, `: map`, `: memory`."""
    return DiagnosticArray(
        status=[
            _status(f"{name}: input", *_input_health(snapshot, state, options), _input_values(snapshot, state)),
            _status(f"{name}: processing", *_processing_health(snapshot, options), _processing_values(snapshot)),
            _status(f"{name}: map", OK, "", {key: f"{value:.12g}" for key, value in state.map_stats.items()}),
            _status(
                f"{name}: memory",
                *_above(state.resident_mb, options.warn_memory_mb, options.error_memory_mb, "resident memory", "MB"),
                {"resident_mb": f"{state.resident_mb:.1f}"},
            ),
        ]
    )


def _input_health(snapshot: Snapshot, state: MapperState, options: MapperOptions) -> tuple[int, str]:
    if state.lifecycle != "active":
        return OK, state.lifecycle
    if state.paused:
        return OK, "paused"
    problems = [_silence(snapshot, topic, silent_s, options) for topic, silent_s in snapshot.silent_s.items()]
    problems.append(_losses(snapshot, options))
    problems += [(WARN, note) for note in state.notes]
    return _worst(problems)


def _silence(snapshot: Snapshot, topic: str, silent_s: float, options: MapperOptions) -> tuple[int, str]:
    if silent_s < options.warn_input_timeout_s:
        return OK, ""
    level = ERROR if silent_s >= options.error_input_timeout_s else WARN
    if topic in snapshot.never_came:
        hint = " (a camera without depth: depth_source: predicted)" if "depth" in topic else ""
        return level, f"{topic} never came: check the camera driver, the topic's remapping and its QoS{hint}"
    return level, f"{topic} silent for {silent_s:.1f} s"


def _losses(snapshot: Snapshot, options: MapperOptions) -> tuple[int, str]:
    if snapshot.recent_in < 5 or not snapshot.drops:
        return OK, ""
    ratio = max(0.0, 1 - snapshot.recent_mapped / snapshot.recent_in)
    top = max(snapshot.drops, key=lambda cause: snapshot.drops[cause])
    text = f"{100 * ratio:.0f} % of the frames lost (most often so far: {top})"
    if ratio > options.error_drop_ratio:
        return ERROR, text
    return (WARN, text) if ratio > options.warn_drop_ratio else (OK, "")


def _processing_health(snapshot: Snapshot, options: MapperOptions) -> tuple[int, str]:
    latency = snapshot.timings_ms.get("latency", (math.nan, math.nan))[1]
    processing = snapshot.timings_ms.get("processing", (math.nan, math.nan))[1]
    return _worst(
        [
            _above(latency, options.warn_latency_ms, options.error_latency_ms, "latency camera to cloud, p95", "ms"),
            _above(processing, options.warn_processing_ms, options.error_processing_ms, "time a frame, p95", "ms"),
        ]
    )


def _above(value: float, warn: float, error: float, what: str, unit: str) -> tuple[int, str]:
    if not value > warn:  # NaN: nothing measured
        return OK, ""
    limit = error if value > error else warn
    return (ERROR if value > error else WARN), f"{what} {value:.0f} {unit} is above {limit:g} {unit}"


def _worst(problems: list[tuple[int, str]]) -> tuple[int, str]:
    level = max(level for level, _ in problems)
    return level, "; ".join(text for its, text in problems if text and its > OK)


def _input_values(snapshot: Snapshot, state: MapperState) -> dict[str, str]:
    values = {
        "state": state.lifecycle,
        "paused": str(state.paused).lower(),
        "frames_in": str(snapshot.frames_in),
        "waiting_frames": str(state.waiting_frames),
    }
    values |= {f"rate_hz{topic}": f"{rate:.1f}" for topic, rate in snapshot.rates_hz.items()}
    values |= {f"drops/{cause}": str(count) for cause, count in snapshot.drops.items()}
    values |= {f"refused_transforms/{cause}": str(count) for cause, count in state.refused_transforms.items()}
    return values | {f"events/{cause}": str(count) for cause, count in snapshot.events.items()}


def _processing_values(snapshot: Snapshot) -> dict[str, str]:
    values = {"frames_mapped": str(snapshot.frames_mapped), "keyframes": str(snapshot.keyframes)}
    for stage, (p50, p95) in snapshot.timings_ms.items():
        values[f"{stage}_ms_p50"] = f"{p50:.1f}"
        values[f"{stage}_ms_p95"] = f"{p95:.1f}"
    return values


def _status(name: str, level: int, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=bytes([level]), name=name, message=message or "ok", hardware_id="", values=pairs)
