"""The print-out of a demo: what was mapped, how fast, how well, and what to do about lost frames."""

from __future__ import annotations

import json
import math
from pathlib import Path

from sem_field_ros.commands.child_processes import StatusLine
from sem_field_ros.results.outputs import CLOUD_NAME, MESH_NAME, PREVIEW_NAME, REPORT_NAME

RESULTS = (CLOUD_NAME, MESH_NAME, PREVIEW_NAME, REPORT_NAME)
_TOO_SLOW = {"overload", "queue_full", "not_received", "unpaired_color", "unpaired_depth", "unpaired_labels"}


def drop_advice(drops: dict[str, int]) -> str:
    """What to do about lost frames (by cause); empty where none were lost."""
    if not drops:
        return ""
    if _TOO_SLOW & set(drops):
        return (
            "the mapper was slower than the replay: play it more slowly (--rate 0.5), as fast as it is mapped "
            "(--pace feedback), or map more coarsely (--voxel-size-m 0.1)"
        )
    return "what the causes mean: docs/ros_api.md, Diagnostics"


def summarize(out: Path, status: StatusLine) -> None:
    """The results in a few lines."""
    report = json.loads((out / REPORT_NAME).read_text(encoding="utf-8"))
    drops = ", ".join(f"{count} {cause}" for cause, count in report["drops"].items()) or "none"
    latency = report["latency_ms"]
    status.say(f"frames   {report['frames_mapped']} of {report['frames_in']} mapped, dropped: {drops}")
    if advice := drop_advice(report["drops"]):
        status.say(f"         {advice}")
    status.say(
        f"speed    {report['fps']:.1f} frames/s, camera to cloud {latency.get('p50', math.nan):.0f} ms "
        f"(p95 {latency.get('p95', math.nan):.0f} ms), mapper memory {report['peak_rss_mb']:.0f} MB"
    )
    status.say(f"map      {report['cloud_points']:,} points, {report['mesh_triangles']:,} triangles")
    total = max(1, report["cloud_points"])
    classes = [f"{name} {100 * n / total:.1f} %" for name, n in list(report["points_per_class"].items())[:6]]
    status.say(f"classes  {', '.join(classes)}")
    status.say(f"labels   {report['label_source'].removeprefix('labels ')}")
    if "miou" in report:
        status.say(
            f"score    mIoU against the labels of the sequence {report['miou']:.3f}, accuracy {report['accuracy']:.3f}"
        )
    for note in report.get("notes", []):
        status.say(f"note     {note}")
    for name in RESULTS:
        status.say(f"  {out / name}")
