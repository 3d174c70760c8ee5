"""A picture of held-out views of SEQ...: the nearest source, the view by a field with labels and depth, the truth.

python benchmarks/view_grid.py SEQ... --out views.jpg [--field gsnerf] [--depth sensor] [--every 1] [--max-frames 40]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from sem_field_ros.datasets.image_files import write_color
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.evaluation.comparison import legend_of, name_bar, tile_row
from sem_field_ros.evaluation.map_evaluation import true_index
from sem_field_ros.evaluation.novel_views import is_held_out
from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.fields.common.window import nearest_views
from sem_field_ros.fields.registry import open_named
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.scene import FieldScene
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.segmentation.segmenter import Segmenter

_HOLD_OUT = 5
_WIDTH = 200
_NAMES = "nearest source", "rendered", "labels", "depth", "true image", "true labels"


def shown(
    frame: PosedFrame, source: PosedFrame, scene: FieldScene, true: np.ndarray, labels: LabelSet
) -> list[np.ndarray]:
    """The tiles of one held-out view; `true`: class indices, -1 = unlabelled."""
    found = scene.render(frame.camera, frame.T_world_camera)
    assert found.rgb is not None and found.labels is not None and found.depth is not None
    near, far = 0.3, max(float(np.percentile(found.depth, 98)), 1.0)
    place = np.where(found.depth > 0, 1 - (found.depth - near) / (far - near), 0).clip(0, 1)
    depth = cv2.applyColorMap((place * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    depth = np.where(found.depth[..., None] > 0, depth, 255).astype(np.uint8)
    size = _WIDTH, round(_WIDTH * frame.camera.height / frame.camera.width)
    images = source.color, found.rgb, labels.to_color(found.labels), depth, frame.color, labels.to_color(true)
    return [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]


def rows_of(
    sequence: SequenceReader, scene: FieldScene, segmenter: Segmenter, every: int, most: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The row of the middle held-out view, and its label images."""
    frames = [frame for frame in read_frames(sequence, every, most) if isinstance(frame, PosedFrame)]
    sources = [frame for place, frame in enumerate(frames) if not is_held_out(place, _HOLD_OUT)]
    held = [frame for place, frame in enumerate(frames) if is_held_out(place, _HOLD_OUT)]
    scene.reset()
    for frame in sources:
        scene.add(frame, segmenter.segment(frame))
    frame = held[len(held) // 2]
    nearest = sources[nearest_views(frame.T_world_camera, [f.T_world_camera for f in sources], 1)[0]]
    true = np.full(frame.color.shape[:2], -1, np.int16)
    if frame.labels is not None and sequence.labels is not None:
        true = true_index(frame.labels, sequence.labels, segmenter.labels).astype(np.int16)
    return tile_row(shown(frame, nearest, scene, true, segmenter.labels)), [true]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequences", nargs="+", type=Path, metavar="SEQ")
    parser.add_argument("--field", default="gsnerf")
    parser.add_argument("--depth", choices=("predicted", "sensor"), default="sensor")
    parser.add_argument("--segmenter", default="homes")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--max-frames", type=int, default=40)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    segmenter = make_segmenter(args.segmenter)
    options = SceneOptions(0, args.depth == "sensor", target_depth=args.depth)
    scene = open_named(args.field, segmenter.labels, options)
    rows, indices = [name_bar(_NAMES, _WIDTH)], []
    for path in args.sequences:
        row, found = rows_of(open_sequence(path), scene, segmenter, args.every, args.max_frames)
        rows.append(row)
        indices += found
    width = rows[0].shape[1]
    write_color(args.out, np.concatenate([*rows, legend_of(indices, segmenter.labels, width)]))


if __name__ == "__main__":
    main()
