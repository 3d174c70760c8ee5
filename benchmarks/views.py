"""Time of rendering novel views with GSNeRF, stage by stage, beside another field in the same run.

python benchmarks/views.py SEQ [--field FIELD] [--peer FIELD] [--depth sensor] [--frames 16] [--out out/views.json]

CPU seconds of one thread, the mean over held-out views of the size of the images. Factors are times of the peer over
ours; two known implementations are listed with the times that were measured on two cores (320x240, 8 source views).
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from sem_field_ros.atomic import write_json
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.evaluation.image_metrics import psnr
from sem_field_ros.evaluation.novel_views import is_held_out
from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.fields.gsnerf.scene import GsnerfScene
from sem_field_ros.fields.registry import open_named
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import load_label_set
from sem_field_ros.segmentation.segmenter import ClassProbabilities

KNOWN = {"a GSNeRF implementation, 128 samples": 1660.0, "the same, 8 guided samples (wall time)": 65.0}
_HOLD_OUT = 5


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, and its result."""
    start = time.process_time()
    found = call()
    return time.process_time() - start, found


def new_scene(field: str, options: SceneOptions) -> GsnerfScene:
    """The scene of a field, by name or of weights."""
    scene = open_named(field, load_label_set("scannet20"), options)
    assert isinstance(scene, GsnerfScene), f"{field} is not a GSNeRF"
    return scene


def fill(scene: Any, frames: list[PosedFrame]) -> list[PosedFrame]:
    """Add the sources with some class probabilities; return the held-out frames."""
    probabilities = ClassProbabilities(torch.full((20, 60, 80), 1 / 20))
    for place, frame in enumerate(frames):
        if not is_held_out(place, _HOLD_OUT):
            scene.add(frame, probabilities)
    return [frame for place, frame in enumerate(frames) if is_held_out(place, _HOLD_OUT)]


def measure(scene: Any, held: list[PosedFrame], shrink: int = 1) -> tuple[float, float]:
    """CPU seconds of a view, after one that encodes the sources; mean PSNR at full size."""
    cameras = [frame.camera.scaled(frame.camera.width // shrink, frame.camera.height // shrink) for frame in held]
    times, scores = [], []
    for frame, camera in zip(held, cameras, strict=True):
        scene.render(camera, frame.T_world_camera)
        spent, view = timed(functools.partial(scene.render, camera, frame.T_world_camera))
        times.append(spent)
        if shrink == 1:
            scores.append(psnr(view.rgb, frame.color))
    return float(np.mean(times)), float(np.mean(scores)) if scores else 0.0


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequence", type=Path, metavar="SEQ")
    parser.add_argument("--field", default="gsnerf", help="a GSNeRF: gsnerf (hand-made) or weights")
    parser.add_argument("--peer", default="", help="another field to compare with, e.g. gnesf_view_homes")
    parser.add_argument("--depth", choices=("predicted", "sensor"), default="predicted")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--many", type=int, default=0, metavar="N", help="also with N samples at every pixel, slow")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    frames = [frame for _, frame in zip(range(args.frames), open_sequence(args.sequence), strict=False)]
    rows: dict[str, float] = {}
    scene = new_scene(args.field, SceneOptions(0, target_depth=args.depth))
    held = fill(scene, frames)
    encoding = timed(lambda: scene.keyframes.encoded(range(len(scene.keyframes)), held[0].T_world_camera))[0]
    rows["encode a keyframe"] = encoding / len(scene.keyframes)
    rows["render a view"], rows["PSNR"] = measure(scene, held)
    rows["render a preview of half the size"] = measure(scene, held, shrink=2)[0]
    rows["keyframes in memory, MB each"] = scene.memory_bytes / len(scene.keyframes) / 1e6
    if args.many:
        slow = new_scene(args.field, SceneOptions(0, target_depth=args.depth))
        slow.model.config = dataclasses.replace(slow.model.config, stride=1, samples=args.many)
        one = fill(slow, frames)[:1]
        name = f"{args.many} samples at every pixel"
        rows[f"{name}: render a view"], rows[f"{name}: PSNR"] = measure(slow, one)
        rows["the same view as usual: PSNR"] = measure(scene, one)[1]
    if args.peer:
        peer = open_named(args.peer, load_label_set("scannet20"), SceneOptions(0, args.depth == "sensor"))
        rows[f"{args.peer}: render a view"], rows[f"{args.peer}: PSNR"] = measure(peer, fill(peer, frames)[:1])
    rows["peak memory of the process, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    show(rows)
    if args.out:
        write_json(args.out, rows)


def show(rows: dict[str, float]) -> None:
    """The table, with factors of the peers."""
    own, table = rows["render a view"], Table("stage", "CPU s", "factor")
    for name, value in rows.items():
        slower = name.endswith("render a view") and value != own
        table.add_row(name, f"{value:.2f}", f"{value / own:.1f}" if slower else "")
    for name, value in KNOWN.items():
        table.add_row(name, f"{value:.0f}", f"{value / own:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
