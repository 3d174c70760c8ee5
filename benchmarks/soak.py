"""Looped playback through the real nodes for a long time: memory, messages per topic and latency over time.

    python benchmarks/soak.py SEQ [--minutes 30] [--voxel-size-m 0.05] [--segmenter pascal] [--fusion NAME]
                              [--out out/soak.json]

The player repeats the sequence, so the clock jumps back at every loop, as with a looped bag. One row is written per
window: resident memory of mapper and player, messages per topic, drops, latency.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from sem_field_ros.camera_stream.topics import (
    DIAGNOSTICS_TOPIC,
    LABEL_IMAGE,
    LABEL_OVERLAY,
    MAPPER,
    SEMANTIC_CLOUD,
    SEMANTIC_MESH,
    of_node,
)
from sem_field_ros.commands.up import start_node, stop_processes
from sem_field_ros.measurements import megabytes
from sem_field_ros.nodes.graph import nodes_of
from sem_field_ros.ros.mapper_status import MapperStatus, mapper_status
from sem_field_ros.ros.qos import image_qos, latched_qos


class Monitor(Node):
    """Counts the messages of the mapper and keeps its last diagnostics."""

    def __init__(self) -> None:
        super().__init__("soak_monitor")
        self.counts: Counter[str] = Counter()
        self.status = MapperStatus()
        self._subs = [
            self.create_subscription(kind, of_node(MAPPER, name), lambda _, n=name: self._count(n), qos)
            for name, kind, qos in (
                (SEMANTIC_CLOUD, PointCloud2, latched_qos()),
                (SEMANTIC_MESH, MarkerArray, latched_qos()),
                (LABEL_IMAGE, Image, image_qos("reliable")),
                (LABEL_OVERLAY, Image, image_qos("reliable")),
            )
        ]
        self._subs.append(self.create_subscription(DiagnosticArray, DIAGNOSTICS_TOPIC, self._on_diagnostics, 10))

    def _count(self, name: str) -> None:
        self.counts[name] += 1

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self._count("diagnostics")
        self.status = mapper_status(msg, MAPPER) or self.status


def row(monitor: Monitor, minute: float, processes: dict[str, psutil.Process], before: Counter[str]) -> dict[str, Any]:
    """The measurements of one window."""
    status = monitor.status
    return {
        "minute": round(minute, 2),
        "rss_mb": {name: round(megabytes(p.memory_info().rss), 1) for name, p in processes.items()},
        "messages": dict(monitor.counts - before),
        **{name: getattr(status, name) for name in ("frames_in", "frames_mapped", "keyframes")},
        "latency_ms": status.timings_ms.get("latency", {}),
        **{name: status.map_stats[name] for name in ("blocks", "surface_voxels") if name in status.map_stats},
        "drops": status.drops,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequence", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--window-s", type=float, default=60.0)
    parser.add_argument("--voxel-size-m", type=float, default=0.05)
    parser.add_argument("--segmenter", default="pascal")
    parser.add_argument("--fusion", default="", help="default: the node's")
    parser.add_argument("--out", type=Path, default=Path("out/soak.json"))
    args = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", "91")
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    given = {
        "path": str(args.sequence),
        "loops": "0",
        "segmenter": args.segmenter,
        "fusion": args.fusion,
        "voxel_size_m": str(args.voxel_size_m),
        "log_level": "error",
    }
    rclpy.init()
    monitor, rows, started = Monitor(), [], {}
    try:
        started = {spec.name: start_node(spec) for spec in nodes_of("replay", given)}
        processes = {name: psutil.Process(process.pid) for name, process in started.items()}
        begin = time.monotonic()
        before, next_row = Counter(monitor.counts), begin + args.window_s
        while time.monotonic() < begin + args.minutes * 60 + 1:
            rclpy.spin_once(monitor, timeout_sec=0.1)
            dead = [name for name, process in started.items() if process.poll() is not None]
            if dead:
                print(f"{', '.join(dead)} ended: the soak failed")
                return 1
            if time.monotonic() >= next_row:
                next_row += args.window_s
                rows.append(row(monitor, (time.monotonic() - begin) / 60, processes, before))
                before = Counter(monitor.counts)
                print(json.dumps(rows[-1]), flush=True)
                args.out.parent.mkdir(parents=True, exist_ok=True)
                args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    finally:
        stop_processes(list(started.values()))
        monitor.destroy_node()
        rclpy.try_shutdown()
    print(f"rows in {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
