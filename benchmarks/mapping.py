"""Our mapper beside Open3D's VoxelBlockGrid (colour integration, no labels) on the same frames in the same run.

    python benchmarks/mapping.py SEQ [--frames N] [--voxel-sizes-m 0.05 0.02] [--fusions bayesian gnesf]
                                     [--segmenter NAME] [--out out/bench.json]

All get every frame in turn, in one process, with the same number of threads and the same truncation. Rows: stage,
fusion, voxel_size_m, ours_ms, peer, peer_ms, ratio (to one frame of the peer). The time of a stage is the median over
its calls. The stages are those of stage_times.py and

    segment   the segmenter                  voting   find + offer + fuse of a keyframe
    keyframe  integrate + voting             mesh     surfaces to publish, without context and smoothing
    message   the whole cloud as PointCloud2
    total     a frame without the segmenter: integration of every frame, and the share of all the rest for keyframes

The first rows are fusing alone, of 65,536 voxels with 9 views each, see voting.py.
"""

from __future__ import annotations

import sem_field_ros  # noqa: F401  before torch and Open3D: it sets how their threads wait  # isort: skip

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from open3d_peer import PEER, Open3dPeer, depth_in_mm
from stage_times import VOTING, StageTimes
from voting import measure_votes

from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.frame import PosedFrame
from sem_field_ros.fusion.hand_made import Fusion
from sem_field_ros.fusion.registry import make_fusion
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter

_STAGES = ("integrate", "surface", "project", *VOTING, "voting", "keyframe", "context", "smooth", "mesh", "message")
_OF_KEYFRAMES = ("surface", "voting", "context", "smooth", "mesh")  # stages that only keyframes have


class Replayed:
    """A segmenter that repeats its predictions, so that its time is measured apart from that of the map."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.labels = segmenter.labels
        self._segmenter = segmenter
        self._predictions: dict[int, ClassProbabilities] = {}
        self.times_ms: list[float] = []

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        if frame.stamp_ns not in self._predictions:
            start = time.perf_counter()
            self._predictions[frame.stamp_ns] = self._segmenter.segment(frame)
            self.times_ms.append((time.perf_counter() - start) * 1e3)
        return self._predictions[frame.stamp_ns]


class Measured:
    """One mapper and the times of its stages."""

    def __init__(self, config: MapConfig, segmenter: Replayed, fusion: Fusion) -> None:
        self.mapper = Mapper(config, segmenter)
        self.mapper.use_map(SemanticMap(config, segmenter.labels, fusion))
        self.times: dict[str, list[float]] = defaultdict(list)
        self._stages = StageTimes(self.mapper.map)
        self._to_message = _cloud_message(self.mapper)

    def register(self, frame: PosedFrame) -> None:
        keyframe = self.mapper.register_frame(frame).keyframe
        spent = self._stages.take()
        if keyframe:
            spent["voting"] = sum(spent.get(stage, 0.0) for stage in VOTING)
            spent["keyframe"] = spent["integrate"] + spent["voting"]
            published = _ms(self.mapper.map.update_surface)
            refined = self._stages.take()
            spent |= {stage: refined[stage] for stage in ("context", "smooth") if stage in refined}
            spent["mesh"] = published - refined["smooth"] - refined.get("context", 0.0)
            if self._to_message is not None:
                spent["message"] = _ms(self._to_message)
                self._stages.take()  # does not count for the next frame
        for stage, ms in spent.items():
            self.times[stage].append(ms)


def run(frames: list[PosedFrame], config: MapConfig, segmenter: Replayed, fusions: dict[str, Fusion]) -> list[dict]:
    """Measure one voxel size; returns the rows."""
    peer = Open3dPeer(config)
    peer_times: list[float] = []
    ours = {name: Measured(config, segmenter, fusion) for name, fusion in fusions.items()}
    for i, frame in enumerate(frames):
        depth_mm = depth_in_mm(frame)
        peer_times.append(_ms(lambda f=frame, d=depth_mm: peer.integrate(d, f)))
        for measured in list(ours.values())[:: 1 if i % 2 else -1]:
            measured.register(frame)
    peer_ms = float(np.median(peer_times))
    rows = [_row("segment", None, config, float(np.median(segmenter.times_ms)), peer_ms)]
    for name, measured in ours.items():
        median = {stage: float(np.median(measured.times[stage])) for stage in _STAGES if measured.times[stage]}
        share = len(measured.times["keyframe"]) / len(frames)
        total = median["integrate"] + share * sum(median.get(stage, 0.0) for stage in _OF_KEYFRAMES)
        rows += [_row(stage, name, config, ms, peer_ms) for stage, ms in {**median, "total": total}.items()]
    return rows


def _cloud_message(mapper: Mapper) -> Callable[[], object] | None:
    """The conversion of the whole cloud into a PointCloud2; None without ROS."""
    try:
        from std_msgs.msg import Header

        from sem_field_ros.ros.clouds import surface_to_cloud
    except ImportError:
        return None
    return lambda: surface_to_cloud(mapper.map.surface(), mapper.map.labels, Header(frame_id="map"))


def _ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def _row(stage: str, fusion: str | None, config: MapConfig, ours: float, peer: float) -> dict:
    return {
        "stage": stage,
        "fusion": fusion,
        "voxel_size_m": config.voxel_size_m,
        "ours_ms": round(ours, 2),
        "peer": PEER,
        "peer_ms": round(peer, 2),
        "ratio": round(ours / peer, 2),
    }


def _printed(rows: list[dict]) -> list[dict]:
    for row in rows:
        print(
            f"{row['stage']:<12} {row['fusion'] or '-':<10} {row['voxel_size_m']:>6} {row['ours_ms']:>9.2f} "
            f"{row['peer_ms']:>10.2f} {row['ratio']:>6.2f}" + (f" {row['peak_mb']} MB" if "peak_mb" in row else "")
        )
    return rows


def main() -> None:
    """Parse the command line, measure, print and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequence", type=Path, help="posed RGB-D sequence: folder or bag")
    parser.add_argument("--frames", type=int, default=300, help="first frames of it (default 300)")
    parser.add_argument("--voxel-sizes-m", type=float, nargs="+", default=[0.05, 0.02], help="(default 0.05 0.02)")
    parser.add_argument("--fusions", nargs="+", default=["bayesian", "gnesf"], help="(default bayesian gnesf)")
    parser.add_argument("--segmenter", default="homes", help="(default homes)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"), help="(default out/bench.json)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    frames = [frame for _, frame in zip(range(args.frames), open_sequence(args.sequence), strict=False)]
    segmenter = Replayed(make_segmenter(args.segmenter))
    rows: list[dict] = []
    print(f"{len(frames)} frames of {args.sequence.name}, {frames[0].camera.width}x{frames[0].camera.height}")
    print(f"{'stage':<12} {'fusion':<10} {'voxel':>6} {'ours ms':>9} {'Open3D ms':>10} {'ratio':>6}")
    # first, because memory that mapping has freed would hide what fusing needs
    rows += _printed(measure_votes(frames[:10], {name: make_fusion(name) for name in args.fusions}))
    for voxel_size_m in args.voxel_sizes_m:
        fusions = {name: make_fusion(name) for name in args.fusions}
        rows += _printed(run(frames, MapConfig(voxel_size_m=voxel_size_m), segmenter, fusions))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"rows in {args.out}")


if __name__ == "__main__":
    main()
