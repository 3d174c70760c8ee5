"""/diagnostics of the mapper: its numbers (ros/mapper_status.py), with levels by the limits in its options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray

from sem_field_ros.camera_stream.statistics import InputSnapshot
from sem_field_ros.nodes.health import LossWatch, above, input_health, worst
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.nodes.mapper.statistics import LATENCY, MappingSnapshot
from sem_field_ros.ros.mapper_status import (
    INPUT,
    MEMORY,
    PROCESSING,
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
    losses: LossWatch = field(default_factory=LossWatch)  # of the node


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
    memory = above(state.resident_mb, options.warn_memory_mb, options.error_memory_mb, "resident memory", "MB")
    health = {
        INPUT: input_health(
            received, mapped.recent_mapped, state.lifecycle, state.paused, state.notes, options, state.losses
        ),
        PROCESSING: _processing_health(mapped, options),
        MEMORY: memory,
    }
    return status_message(name, status, health)


def _processing_health(mapped: MappingSnapshot, options: MapperOptions) -> tuple[int, str]:
    def p95(stage: str) -> float:
        return mapped.timings_ms.get(stage, {}).get("p95", math.nan)

    return worst(
        [
            above(p95(LATENCY), options.warn_latency_ms, options.error_latency_ms, "camera to cloud, p95,", "ms"),
            above(
                p95("processing"), options.warn_processing_ms, options.error_processing_ms, "time a frame, p95,", "ms"
            ),
        ]
    )
