"""/diagnostics of the view renderer: statuses `input`, `processing`, `views` and `memory`, with levels."""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray

from sem_field_ros.camera_stream.statistics import InputSnapshot
from sem_field_ros.nodes.health import Health, LossWatch, above, input_health
from sem_field_ros.nodes.view_renderer.options import ViewRendererOptions
from sem_field_ros.nodes.view_renderer.statistics import ViewSnapshot
from sem_field_ros.ros.mapper_status import ERROR, INPUT, MEMORY, OK, WARN, MapperStatus, status_message

_WITHOUT_DEPTH = "use_depth: false and a field that needs none, such as gsnerf"
VIEWS = "views"  # in place of the mapper's `map`


@dataclass(frozen=True)
class RendererState:
    """The state of the node, in addition to its statistics."""

    lifecycle: str  # unconfigured | inactive | active
    paused: bool
    waiting_frames: int
    resident_mb: float
    numbers: dict[str, float] = field(default_factory=dict)  # keyframes kept, their MB, pixels_per_s
    refused_transforms: dict[str, int] = field(default_factory=dict)  # by cause
    notes: tuple[str, ...] = ()  # conditions worth a WARN
    losses: LossWatch = field(default_factory=LossWatch)  # of the node


def renderer_diagnostics(
    name: str, received: InputSnapshot, done: ViewSnapshot, state: RendererState, options: ViewRendererOptions
) -> DiagnosticArray:
    """Build the array (the caller stamps it)."""
    views = {"answers": done.answers, "coarse": done.coarse, "late": done.late, **state.numbers}
    views |= {f"refused/{cause}": count for cause, count in done.refused.items()}
    status = MapperStatus(
        state=state.lifecycle,
        paused=state.paused,
        frames_in=received.frames_in,
        waiting_frames=state.waiting_frames,
        rates_hz=received.rates_hz,
        drops=received.drops,
        refused_transforms=state.refused_transforms,
        events=dict(sorted((received.events | done.events).items())),
        frames_mapped=done.frames_used,
        keyframes=done.keyframes,
        timings_ms=done.timings_ms,
        map_stats=views,
        resident_mb=state.resident_mb,
    )
    health = {
        INPUT: input_health(
            received,
            done.recent_used,
            state.lifecycle,
            state.paused,
            state.notes,
            options,
            state.losses,
            _WITHOUT_DEPTH,
        ),
        VIEWS: _lateness(done, options),
        MEMORY: above(state.resident_mb, options.warn_memory_mb, options.error_memory_mb, "resident memory", "MB"),
    }
    return status_message(name, status, health, subject=VIEWS)


def _lateness(done: ViewSnapshot, options: ViewRendererOptions) -> Health:
    if done.late_ratio <= options.warn_late_ratio:
        return OK, ""
    level = ERROR if done.late_ratio > options.error_late_ratio else WARN
    return level, f"{100 * done.late_ratio:.0f} % of the latest answers came after their deadline"
