"""/diagnostics of a mapper -> the few numbers a person looks at."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray


@dataclass(frozen=True)
class MapperStatus:
    """Counters by name, ready to show, and one line on what is wrong (empty where nothing is)."""

    counters: dict[str, str]
    problem: str


def mapper_status(msg: DiagnosticArray, mapper: str) -> MapperStatus | None:
    """Read the statuses `MAPPER: input`, `: processing`, ... of a message; None where it has none of them."""
    wanted = mapper.strip("/")
    statuses = [s for s in msg.status if s.name.split(":")[0].strip().strip("/") == wanted]
    if not statuses:
        return None
    values = {pair.key: pair.value for s in statuses for pair in s.values}
    counters: dict[str, str] = {}
    if values.get("latency_ms_p95", "nan") != "nan":
        counters["Latency p95"] = f"{float(values['latency_ms_p95']):,.0f} ms"
    if "frames_mapped" in values:
        counters["Frames mapped"] = f"{int(values['frames_mapped']):,} of {int(values.get('frames_in', 0)):,}"
    if "keyframes" in values:
        counters["Keyframes"] = f"{int(values['keyframes']):,}"
    if values.get("resident_mb", "nan") != "nan":
        counters["Mapper memory"] = f"{float(values['resident_mb']):,.0f} MB"
    if values.get("paused") == "true":
        counters["State"] = "paused"
    elif values.get("state", "active") != "active":
        counters["State"] = values["state"]
    problems = [s.message for s in statuses if s.level != b"\x00"]
    return MapperStatus(counters, "; ".join(problems))
