"""Posed sequences in memory, read once: images, poses, depth, labels and the class probabilities of a segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError, SegmenterError
from sem_field_ros.fields.common.window import image_of_width, nearest_pixels
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.segmentation.segmenter import Segmenter

REDUCTION = 2  # depth and labels are kept at this fraction of the size of the images


@dataclass(frozen=True)
class PosedScene:
    """One sequence of F frames.

    images [F, 3, H, W] uint8 RGB      classes [F, C, h, w] uint8 probabilities (255 = 1), zeros without a segmenter
    depth [F, H/2, W/2] float32 metres, 0 = invalid      labels [F, H/2, W/2] int16 class index, -1 = unlabelled
    K [F, 3, 3] of the images          T_world_camera [F, 4, 4] float64
    """

    name: str
    images: Tensor
    classes: Tensor
    depth: Tensor
    labels: Tensor
    K: Tensor
    T_world_camera: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def subset(scene: PosedScene, frames: Sequence[int]) -> PosedScene:
    """Some frames of a scene."""
    index = list(frames)
    return PosedScene(
        scene.name, scene.images[index], scene.classes[index], scene.depth[index], scene.labels[index],
        scene.K[index], scene.T_world_camera[index],
    )  # fmt: skip


def read_scenes(
    paths: Sequence[Path],
    labels: LabelSet,
    segmenter: Segmenter | None,
    image_width: int,
    on_progress: Callable[[], None] | None = None,
) -> list[PosedScene]:
    """Read folders, those with two frames or more; `on_progress` is called once per folder. Raises DataError."""
    scenes = []
    for path in paths:
        scene = read_scene(path, labels, segmenter, image_width)
        if len(scene) > 1:
            scenes.append(scene)
        if on_progress:
            on_progress()
    if not scenes:
        raise DataError("no sequence has two frames or more")
    return scenes


def read_scene(path: Path, labels: LabelSet, segmenter: Segmenter | None, image_width: int) -> PosedScene:
    """Read one folder; frames without depth still serve as sources. Raises DataError if no frame can be used."""
    sequence = FolderSequence(path)
    frames = [frame for frame in read_frames(sequence) if isinstance(frame, PosedFrame)]
    shapes = {frame.color.shape for frame in frames}
    if len(shapes) != 1:
        raise DataError(f"{path}: {'no frame can be read' if not shapes else 'its images differ in size'}")
    return _scene(path.name, sequence, frames, labels, segmenter, image_width)


def _scene(
    name: str,
    sequence: SequenceReader,
    frames: Sequence[PosedFrame],
    labels: LabelSet,
    segmenter: Segmenter | None,
    image_width: int,
) -> PosedScene:
    images = np.stack([image_of_width(frame.color, image_width) for frame in frames])
    height, width = images.shape[1:3]
    small = height // REDUCTION, width // REDUCTION
    regroup = None if sequence.labels is None else np.append(sequence.labels.regroup(labels), -1).astype(np.int16)
    index = np.full((len(frames), *small), -1, np.int16)
    depth = np.zeros((len(frames), *small), np.float32)
    for i, frame in enumerate(frames):
        if frame.labels is not None and sequence.labels is not None and regroup is not None:
            index[i] = nearest_pixels(regroup[sequence.labels.to_index(frame.labels)], small)
        if frame.depth is not None:
            depth[i] = nearest_pixels(frame.depth, small)
    return PosedScene(
        name,
        torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
        torch.stack([_classes_of(frame, segmenter, len(labels)) for frame in frames]),
        torch.from_numpy(depth),
        torch.from_numpy(index),
        torch.from_numpy(np.stack([f.camera.scaled(width, height).matrix for f in frames]).astype(np.float32)),
        np.stack([frame.T_world_camera for frame in frames]),
    )


def _classes_of(frame: PosedFrame, segmenter: Segmenter | None, classes: int) -> Tensor:
    if segmenter is None:
        return torch.zeros(classes, 1, 1, dtype=torch.uint8)
    try:
        values = segmenter.segment(frame).values
    except SegmenterError as error:
        raise DataError(f"frame {frame.name}: {error}") from error
    return (avg_pool2d(values[None], 2, ceil_mode=True)[0] * 255 + 0.5).to(torch.uint8)


def scaled_intrinsics(K: Tensor, scale: float) -> Tensor:
    """Intrinsics [V, 3, 3] of images resized by `scale`; pixel areas scale, pixel centres follow."""
    out = K * scale
    out[:, :2, 2] = (K[:, :2, 2] + 0.5) * scale - 0.5
    out[:, 2, 2] = 1
    return out
