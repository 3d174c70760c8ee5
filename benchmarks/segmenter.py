"""Times a segmenter on a sequence and draws its labels over the images, in a grid.

python benchmarks/segmenter.py SEQ [--segmenter pascal] [--frames 12] [--out out/segmenter.png]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.segmentation.registry import make_segmenter

_TILE_WIDTH = 320


def main() -> None:
    """Parse the command line, run, print the time and the classes of each frame."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequence", help="folder or bag")
    parser.add_argument("--segmenter", default="pascal", help="as for `sem-field map`")
    parser.add_argument("--label-set", default=None, help="label set, if the segmenter needs one")
    parser.add_argument("--frames", type=int, default=12, help="number of frames, evenly spread (default 12)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    parser.add_argument("--out", type=Path, default=Path("out/segmenter.png"), help="picture to write")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    sequence = open_sequence(args.sequence)
    segmenter = make_segmenter(args.segmenter, args.label_set, source=sequence.labels)
    chosen = set(np.linspace(0, len(sequence) - 1, args.frames).round().astype(int).tolist())
    times, processor_times, tiles = [], [], []
    for i, frame in enumerate(sequence):
        if i not in chosen:
            continue
        if not times:
            segmenter.segment(frame)  # the first run is slower
        start, processor_start = time.perf_counter(), time.process_time()
        index = segmenter.segment(frame).label_index().numpy()
        times.append((time.perf_counter() - start) * 1e3)
        processor_times.append((time.process_time() - processor_start) * 1e3)
        found = {segmenter.labels.names[c]: int(n) for c, n in zip(*np.unique(index, return_counts=True), strict=True)}
        print(f"{frame.name}: {times[-1]:.0f} ms, pixels {found}")
        tiles.append(_overlay(frame.color, segmenter.labels.to_color(index)))
    print(
        f"{args.segmenter}: median {np.median(times):.0f} ms an image, best {min(times):.0f} ms; processor time median "
        f"{np.median(processor_times):.0f} ms, best {min(processor_times):.0f} ms ({len(times)} images)"
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.out), _grid(tiles)[..., ::-1])
    print(args.out)


def _overlay(color: np.ndarray, labels: np.ndarray) -> np.ndarray:
    size = (_TILE_WIDTH, round(_TILE_WIDTH * color.shape[0] / color.shape[1]))
    painted = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    return cv2.addWeighted(cv2.resize(color, size, interpolation=cv2.INTER_AREA), 0.45, painted, 0.55, 0)


def _grid(tiles: list[np.ndarray], columns: int = 4) -> np.ndarray:
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


if __name__ == "__main__":
    main()
