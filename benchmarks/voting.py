"""Fusing alone: 65,536 voxels with 9 views each, features given, in frames of Open3D's colour integration at 2 cm.

python benchmarks/voting.py SEQ [--voxels 65536] [--views 9] [--repeats 7] [--threads 2] [--out out/voting.json]

Fusions and frames are timed in turn; the medians are compared. `peak_mb` is what fusing adds to the resident memory of
the process, without the table of votes.
"""

from __future__ import annotations

import sem_field_ros  # noqa: F401  before torch and Open3D: it sets how their threads wait  # isort: skip

import argparse
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from open3d_peer import PEER, Open3dPeer, depth_in_mm

from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.frame import PosedFrame
from sem_field_ros.fusion.hand_made import CUES, Fusion
from sem_field_ros.fusion.registry import make_fusion
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.votes import VoteTable
from sem_field_ros.measurements import megabytes

_CLASSES = 20
_PEER_VOXEL_M = 0.02


def filled_table(voxels: int, views: int, features: int) -> tuple[VoteTable, torch.Tensor]:
    """A vote table with `views` random views in every row, and the rows."""
    g = torch.Generator().manual_seed(0)
    table = VoteTable(-(-voxels // 512), views, _CLASSES, torch.device("cpu"), features)
    rows, _ = table.place(torch.arange(voxels), torch.zeros(voxels, 3), torch.zeros(voxels, 3))
    for part in rows.split(4096):
        n = len(part)
        probabilities = torch.softmax(3 * torch.randn(n, views, _CLASSES, generator=g), dim=-1)
        table.view_probabilities[part] = (probabilities * 255 + 0.5).to(torch.uint8)
        table.scores[part] = torch.rand(n, views, generator=g) + 0.1
        if features:
            table.features[part] = torch.randint(-127, 128, (n, views, features), generator=g, dtype=torch.int8)
            table.cues[part] = torch.randn(n, views, CUES, generator=g).half()
    return table, rows


def measure_votes(
    frames: list[PosedFrame], fusions: dict[str, Fusion], voxels: int = 65_536, views: int = 9, repeats: int = 7
) -> list[dict]:
    """One row per fusion, like those of mapping.py, with `peak_mb`."""
    peer = Open3dPeer(MapConfig(voxel_size_m=_PEER_VOXEL_M))
    images = [depth_in_mm(frame) for frame in frames]
    tables = {name: filled_table(voxels, views, fusion.feature_dim) for name, fusion in fusions.items()}
    times: dict[str, list[float]] = {name: [] for name in ("peer", *fusions)}
    peaks = dict.fromkeys(fusions, 0.0)
    for _ in range(repeats):
        for frame, depth_mm in zip(frames, images, strict=True):
            times["peer"].append(_ms(lambda f=frame, d=depth_mm: peer.integrate(d, f)))
        for name, fusion in fusions.items():
            table, rows = tables[name]
            with _PeakMemory() as peak:
                times[name].append(_ms(lambda t=table, r=rows, f=fusion: t.fuse(r, f)))
            peaks[name] = max(peaks[name], peak.megabytes)
    median = {name: float(np.median(values)) for name, values in times.items()}
    return [
        {
            "stage": f"fuse {voxels // 1024}Kx{views}",
            "fusion": name,
            "voxel_size_m": _PEER_VOXEL_M,
            "ours_ms": round(median[name], 1),
            "peer": PEER,
            "peer_ms": round(median["peer"], 2),
            "ratio": round(median[name] / median["peer"], 2),
            "peak_mb": round(peaks[name], 1),
        }
        for name in fusions
    ]


class _PeakMemory:
    """Highest resident memory inside the `with` block above that at its start, sampled every millisecond."""

    def __enter__(self) -> _PeakMemory:
        self._process = psutil.Process()
        self._start = self._highest = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.001):
            self._highest = max(self._highest, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        return megabytes(self._highest - self._start)


def _ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Parse the command line, measure, print and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequence", type=Path, help="posed RGB-D sequence: folder or bag")
    parser.add_argument("--voxels", type=int, default=65_536)
    parser.add_argument("--views", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/voting.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    frames = [frame for _, frame in zip(range(10), open_sequence(args.sequence), strict=False)]
    fusions = {name: make_fusion(name) for name in ("bayesian", "gnesf")}
    rows = measure_votes(frames, fusions, args.voxels, args.views, args.repeats)
    for row in rows:
        print(
            f"{row['stage']} {row['fusion']}: {row['ours_ms']} ms = {row['ratio']} frames of {row['peer_ms']} ms, "
            f"{row['peak_mb']} MB"
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
