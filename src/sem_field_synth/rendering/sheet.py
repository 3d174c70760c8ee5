"""Contact sheets of sequences: colour, labels and depth of some frames of each, as one overview picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet

_FAR_M = 5.0
_BAR = 16  # pixels of the line with the name


def contact_sheet(folders: list[Path], frames: int = 2, columns: int = 2, width: int = 240) -> np.ndarray:
    """One block a folder: its name, then `frames` rows of colour | label | depth; `columns` blocks side by side.

    Returns [H, W, 3] uint8 RGB. Raises DataError if a folder cannot be read.
    """
    if not folders:
        raise DataError("no folder given to draw a sheet of")
    blocks = [_block(FolderSequence(folder), frames, width) for folder in folders]
    columns = min(columns, len(blocks))
    height = max(block.shape[0] for block in blocks)
    blocks = [_pad(block, height) for block in blocks]
    while len(blocks) % columns:
        blocks.append(np.full_like(blocks[0], 255))
    gap = np.full((height, 8, 3), 255, np.uint8)
    rows = []
    for start in range(0, len(blocks), columns):
        row = [part for block in blocks[start : start + columns] for part in (block, gap)][:-1]
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def _block(sequence: FolderSequence, frames: int, width: int) -> np.ndarray:
    picks = np.linspace(0, len(sequence) - 1, frames + 2)[1:-1] if len(sequence) > frames else range(len(sequence))
    rows = [_row(sequence.read(int(i)), sequence.labels, width) for i in picks]
    bar = np.full((_BAR, rows[0].shape[1], 3), 255, np.uint8)
    cv2.putText(bar, sequence.name, (2, _BAR - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([bar, *rows])


def _row(frame: PosedFrame, labels: LabelSet | None, width: int) -> np.ndarray:
    parts = [frame.color]
    if labels is not None and frame.labels is not None:
        parts.append(labels.to_color(labels.to_index(frame.labels)))
    if frame.depth is not None:
        near = np.clip(1 - frame.depth / _FAR_M, 0, 1)
        shade = cv2.applyColorMap((255 * near).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
        parts.append(np.where(frame.depth[..., None] > 0, shade, 0).astype(np.uint8))
    height = width * frame.camera.height // frame.camera.width
    nearest, area = cv2.INTER_NEAREST, cv2.INTER_AREA
    sized = [
        cv2.resize(part, (width, height), interpolation=nearest if i == 1 else area) for i, part in enumerate(parts)
    ]
    return np.concatenate(sized, axis=1)


def _pad(block: np.ndarray, height: int) -> np.ndarray:
    return np.pad(block, ((0, height - len(block)), (0, 0), (0, 0)), constant_values=255)
