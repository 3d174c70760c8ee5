"""Our mapper beside Open3D's VoxelBlockGrid (colour integration, no labels) on the same frames in the same run.

    python benchmarks/mapping.py SEQ [--frames N] [--voxel-sizes-m 0.05 0.02] [--segmenter NAME] [--out out/bench.json]

Both see every frame, one after the other, in one process with the same number of threads and the same truncation.
Rows: stage, voxel_size_m, ours_ms, peer, peer_ms, ratio. A stage row is the median over its calls; `total` is the cost
of a frame without the 2-D segmenter: integration of every frame plus the keyframes' share of voting and meshing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open3d as o3d
import open3d.core as o3c
import torch

from sem_field_ros.data.open_sequence import open_sequence
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter

PEER = "Open3D VoxelBlockGrid"
_DEPTH_SCALE = 1000.0


class Open3dPeer:
    """Open3D's own colour integration as in its tutorial: 16^3 blocks, weight and colour in float."""

    def __init__(self, config: MapConfig) -> None:
        self._config = config
        self._grid = o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight", "color"),
            (o3c.float32, o3c.float32, o3c.float32),
            ((1,), (1,), (3,)),
            config.voxel_size_m,
            16,
            10_000,
            o3c.Device("CPU:0"),
        )

    def integrate(self, depth_mm: np.ndarray, frame: PosedFrame) -> None:
        depth, color = (o3d.t.geometry.Image(o3c.Tensor(image)) for image in (depth_mm, frame.color))
        K, extrinsic = o3c.Tensor(frame.camera.matrix), o3c.Tensor(inverse(frame.T_world_camera))
        limit, truncation = float(self._config.depth_max_m), float(self._config.truncation_voxels)
        K_depth = o3c.Tensor(frame.depth_camera.matrix)
        blocks = self._grid.compute_unique_block_coordinates(depth, K_depth, extrinsic, _DEPTH_SCALE, limit, truncation)
        self._grid.integrate(blocks, depth, color, K_depth, K, extrinsic, _DEPTH_SCALE, limit, truncation)


class Replayed:
    """A segmenter that gives back what a real one said before: its cost is measured apart from the map's."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.labels = segmenter.labels
        self._segmenter = segmenter
        self._said: dict[int, ClassProbabilities] = {}
        self.times_ms: list[float] = []

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        if frame.stamp_ns not in self._said:
            start = time.perf_counter()
            self._said[frame.stamp_ns] = self._segmenter.segment(frame)
            self.times_ms.append((time.perf_counter() - start) * 1e3)
        return self._said[frame.stamp_ns]


def run(frames: list[PosedFrame], config: MapConfig, segmenter: Replayed) -> list[dict]:
    """Measure one voxel size; returns the rows."""
    mapper, peer = Mapper(config, segmenter), Open3dPeer(config)
    to_message = _cloud_message(mapper)
    times: dict[str, list[float]] = defaultdict(list)
    for frame in frames:
        assert frame.depth is not None
        depth_mm = (frame.depth * _DEPTH_SCALE + 0.5).astype(np.uint16)
        times["peer"].append(_ms(lambda f=frame, d=depth_mm: peer.integrate(d, f)))
        result = mapper.register_frame(frame)
        for stage, spent in result.timings_ms.items():
            times[stage].append(spent)
        if result.keyframe:
            times["mesh"].append(_ms(mapper.map.update_surface))
            if to_message is not None:
                times["message"].append(_ms(to_message))
    median = {stage: float(np.median(values)) for stage, values in times.items()}
    total = sum(median[stage] * len(times[stage]) / len(frames) for stage in ("integrate", "fuse", "mesh"))
    return [
        _row("segment", config, float(np.median(segmenter.times_ms)), None),
        _row("integrate", config, median["integrate"], median["peer"]),
        *(_row(stage, config, median[stage], None) for stage in ("fuse", "mesh", "message") if stage in median),
        _row("total", config, total, median["peer"]),
    ]


def _cloud_message(mapper: Mapper) -> Callable[[], object] | None:
    """The conversion of the whole cloud into a PointCloud2, where ROS is at hand."""
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


def _row(stage: str, config: MapConfig, ours: float, peer: float | None) -> dict:
    return {
        "stage": stage,
        "voxel_size_m": config.voxel_size_m,
        "ours_ms": round(ours, 2),
        "peer": PEER if peer is not None else None,
        "peer_ms": round(peer, 2) if peer is not None else None,
        "ratio": round(ours / peer, 2) if peer else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequence", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--voxel-sizes-m", type=float, nargs="+", default=[0.05, 0.02])
    parser.add_argument("--segmenter", default="pascal")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    frames = [frame for _, frame in zip(range(args.frames), open_sequence(args.sequence), strict=False)]
    segmenter = Replayed(make_segmenter(args.segmenter))
    rows: list[dict] = []
    print(f"{len(frames)} frames of {args.sequence.name}, {frames[0].camera.width}x{frames[0].camera.height}")
    print(f"{'stage':<10} {'voxel':>6} {'ours ms':>9} {'Open3D ms':>10} {'ratio':>6}")
    for voxel_size_m in args.voxel_sizes_m:
        for row in run(frames, MapConfig(voxel_size_m=voxel_size_m), segmenter):
            rows.append(row)
            peer, ratio = (f"{row[k]:.2f}" if row[k] is not None else "-" for k in ("peer_ms", "ratio"))
            print(f"{row['stage']:<10} {voxel_size_m:>6} {row['ours_ms']:>9.2f} {peer:>10} {ratio:>6}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"rows in {args.out}")


if __name__ == "__main__":
    main()
