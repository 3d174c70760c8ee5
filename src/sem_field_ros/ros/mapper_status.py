"""A mapper's diagnostics as numbers, and the one table of their names: for the writer and for all readers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from sem_field_ros.measurements import PERCENTILES

INPUT, PROCESSING, MAP, MEMORY = "input", "processing", "map", "memory"  # the statuses `MAPPER: input` ...
ACTIVE = "active"
OK, WARN, ERROR = 0, 1, 2


@dataclass(frozen=True)
class MapperStatus:
    """The numbers of one mapper. Counters go from the node's start; timings are over the latest frames."""

    state: str = ""  # unconfigured | inactive | active, empty before the first message
    paused: bool = False
    frames_in: int = 0
    waiting_frames: int = 0
    rates_hz: Mapping[str, float] = field(default_factory=dict)  # by topic
    drops: Mapping[str, int] = field(default_factory=dict)  # lost frames by cause
    refused_transforms: Mapping[str, int] = field(default_factory=dict)  # by cause
    events: Mapping[str, int] = field(default_factory=dict)  # what lost no frame, by cause
    frames_mapped: int = 0
    keyframes: int = 0
    timings_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # {p50, p95} by stage
    map_stats: Mapping[str, float] = field(default_factory=dict)  # SemanticMap.stats()
    resident_mb: float = math.nan
    problem: str = ""  # the messages of the statuses that are not OK

    @property
    def done(self) -> int:
        """Frames that were mapped or lost."""
        return self.frames_mapped + sum(self.drops.values())

    @property
    def latency_p95_ms(self) -> float:
        """Camera stamp to published cloud; NaN while nothing was measured."""
        return self.timings_ms.get("latency", {}).get("p95", math.nan)

    @property
    def counters(self) -> dict[str, str]:
        """The few numbers that a person looks at, ready to show."""
        shown = {}
        if not math.isnan(self.latency_p95_ms):
            shown["Latency p95"] = f"{self.latency_p95_ms:,.0f} ms"
        shown["Frames mapped"] = f"{self.frames_mapped:,} of {self.frames_in:,}"
        shown["Keyframes"] = f"{self.keyframes:,}"
        if not math.isnan(self.resident_mb):
            shown["Mapper memory"] = f"{self.resident_mb:,.0f} MB"
        if self.paused or self.state not in ("", ACTIVE):
            shown["State"] = "paused" if self.paused else self.state
        return shown


def status_message(
    mapper: str, status: MapperStatus, health: Mapping[str, tuple[int, str]] | None = None, subject: str = MAP
) -> DiagnosticArray:
    """Build the message (the caller stamps it). `health`: level and text of the sections that are not plainly OK.

    `subject` names the section of `map_stats`, for nodes that keep something else than a map.
    """
    array = DiagnosticArray()
    for section, values in _values_of(status, subject).items():
        level, text = (health or {}).get(section, (OK, ""))
        pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
        name = f"{mapper}: {section}"
        array.status.append(DiagnosticStatus(level=bytes([level]), name=name, message=text or "ok", values=pairs))
    return array


def mapper_status(msg: DiagnosticArray, mapper: str) -> MapperStatus | None:
    """Read the statuses of one mapper; None where a message has none of them. Missing and odd values are left out."""
    sections: dict[str, dict[str, str]] = {}
    problems = []
    for status in msg.status:
        name, _, section = status.name.partition(":")
        if name.strip("/ ") == mapper.strip("/"):
            sections[section.strip()] = {pair.key: pair.value for pair in status.values}
            problems += [status.message] if status.level != bytes([OK]) else []
    return _status_of(sections, "; ".join(problems)) if sections else None


def _values_of(status: MapperStatus, subject: str) -> dict[str, dict[str, str]]:
    """Section -> key -> text."""
    received = {
        "state": status.state,
        "paused": str(status.paused).lower(),
        "frames_in": str(status.frames_in),
        "waiting_frames": str(status.waiting_frames),
    }
    received |= {f"rate_hz{topic}": f"{rate:.1f}" for topic, rate in status.rates_hz.items()}
    received |= {f"drops/{cause}": str(count) for cause, count in status.drops.items()}
    received |= {f"refused_transforms/{cause}": str(count) for cause, count in status.refused_transforms.items()}
    received |= {f"events/{cause}": str(count) for cause, count in status.events.items()}
    worked = {"frames_mapped": str(status.frames_mapped), "keyframes": str(status.keyframes)}
    for stage, timings in status.timings_ms.items():
        worked |= {f"{stage}_ms_{name}": f"{value:.1f}" for name, value in timings.items()}
    return {
        INPUT: received,
        PROCESSING: worked,
        subject: {key: f"{value:.12g}" for key, value in status.map_stats.items()},
        MEMORY: {"resident_mb": f"{status.resident_mb:.1f}"},
    }


def _status_of(sections: Mapping[str, Mapping[str, str]], problem: str) -> MapperStatus:
    received, worked = sections.get(INPUT, {}), sections.get(PROCESSING, {})
    return MapperStatus(
        state=received.get("state", ""),
        paused=received.get("paused") == "true",
        frames_in=_count(received.get("frames_in")),
        waiting_frames=_count(received.get("waiting_frames")),
        rates_hz=_below("rate_hz", received),
        drops=_counts(_below("drops/", received)),
        refused_transforms=_counts(_below("refused_transforms/", received)),
        events=_counts(_below("events/", received)),
        frames_mapped=_count(worked.get("frames_mapped")),
        keyframes=_count(worked.get("keyframes")),
        timings_ms=_timings(worked),
        map_stats=_below("", sections.get(MAP, {})),
        resident_mb=_number(sections.get(MEMORY, {}).get("resident_mb")),
        problem=problem,
    )


def _below(prefix: str, values: Mapping[str, str]) -> dict[str, float]:
    """The numbers whose keys begin with `prefix`, without it."""
    found = {key[len(prefix) :]: _number(text) for key, text in values.items() if key.startswith(prefix)}
    return {key: value for key, value in found.items() if not math.isnan(value)}


def _counts(values: Mapping[str, float]) -> dict[str, int]:
    return {key: int(value) for key, value in values.items()}


def _timings(values: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """{p50, p95} by stage, as far as they are there."""
    found: dict[str, dict[str, float]] = {}
    for name in PERCENTILES:
        for key, text in values.items():
            stage, separator, rest = key.rpartition(f"_ms_{name}")
            if separator and not rest and not math.isnan(_number(text)):
                found.setdefault(stage, {})[name] = _number(text)
    return found


def _number(text: str | None) -> float:
    """A value as a number, NaN where it is missing, not a number or infinite."""
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _count(text: str | None) -> int:
    value = _number(text)
    return 0 if math.isnan(value) else int(value)
