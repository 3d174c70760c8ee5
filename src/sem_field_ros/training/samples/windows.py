"""Samples for the training of a GNeSF: windows of posed views of recorded sequences, read once into memory.

A sample has source views, a target view to be rendered, and points with their signed distance, which is fused from the
depth images of these views as a TSDF is (a weighted mean of truncated distances along z), but at any point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError, SegmenterError
from sem_field_ros.fields.common.views import sample_depth
from sem_field_ros.fields.common.window import (
    camera_from_window,
    image_of_width,
    level_frame,
    nearest_pixels,
    volume_center,
)
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.segmentation.segmenter import Segmenter

_SMALL = 2  # depth and labels are kept at this fraction of the images' size


@dataclass(frozen=True)
class PosedScene:
    """One sequence of F frames in memory.

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


@dataclass(frozen=True)
class WindowConfig:
    """Sizes of a sample: `views` sources, `points` with a distance, `rays` of the target view, a cube of `side_m`.

    uneven_light  how much the exposure of a window's views differs, as a share
    depth_share   of the windows, whose sources' depth images the field is given
    """

    views: int
    points: int
    rays: int
    side_m: float
    truncation_m: float
    uneven_light: float = 0.07
    depth_share: float = 0.0


def read_scene(path: Path, labels: LabelSet, segmenter: Segmenter | None, image_width: int) -> PosedScene:
    """Read one folder; frames without depth still serve as sources. Raises DataError in one line where nothing is."""
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
    small = height // _SMALL, width // _SMALL
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
    return (torch.nn.functional.avg_pool2d(values[None], 2, ceil_mode=True)[0] * 255 + 0.5).to(torch.uint8)


def read_scenes(
    paths: Sequence[Path],
    labels: LabelSet,
    segmenter: Segmenter | None,
    image_width: int,
    on_progress: Callable[[], None] | None = None,
) -> list[PosedScene]:
    """Read folders; `on_progress` is called once each. Raises DataError where none has frames enough for a window."""
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


def draw_window(
    scene: PosedScene, config: WindowConfig, random: np.random.Generator, *, augment: bool = True
) -> dict[str, Any]:
    """A random sample of a scene, all in the frame of its reference view (fields/gnesf/window.py), as plain tensors.

    images [V, 3, H, W] 0..1, classes [V, C, h, w], K [V, 3, 3], T_camera_window [V, 4, 4], center [3]: the sources
    target_K [3, 3], T_window_target [4, 4], pixels [R, 2] (u, v of the image), rgb [R, 3], label [R], depth [R]
    points [P, 3], sdf [P] metres, NaN where no view knows it; reference_depth [H/2, W/2]
    source_depth [V, H/2, W/2]: what the field is given of the sources' depth, 0 = nothing
    """
    sources, target = pick_views(len(scene), config.views, random)
    T_world_window = level_frame(scene.T_world_camera[sources[0]])
    poses = camera_from_window(scene.T_world_camera[[*sources, target]], T_world_window)
    depth, K = scene.depth[[*sources, target]], scene.K[[*sources, target]]
    K_depth = scaled_intrinsics(K, 1 / _SMALL)
    points = _surface_points(depth, K_depth, poses, config, random)
    images = scene.images[[*sources, target]].float() / 255
    if augment:
        images = _other_light(images, random, config.uneven_light)
    height, width = scene.depth.shape[1:]
    pixel = torch.from_numpy(random.integers(0, (width, height), (config.rays, 2)))
    u, v = pixel.T
    center = volume_center(config.side_m)
    if augment:
        center = center + torch.from_numpy(random.uniform(-0.15, 0.15, 3)).float()
    return {
        "images": images[:-1],
        "classes": scene.classes[sources].float() / 255,
        "K": K[:-1],
        "T_camera_window": poses[:-1],
        "center": center,
        "target_K": K[-1],
        "T_window_target": torch.linalg.inv(poses[-1]),
        "pixels": pixel.float() * _SMALL + 1,  # where `nearest_pixels` has taken depth and label from
        "rgb": images[-1][:, v * _SMALL + 1, u * _SMALL + 1].T,
        "label": scene.labels[target, v, u].long(),
        "depth": scene.depth[target, v, u],
        "points": points,
        "sdf": fused_distance(points, depth, K_depth, poses, config.truncation_m),
        "reference_depth": scene.depth[sources[0]],
        "source_depth": depth[:-1] * float(random.random() < config.depth_share),
    }


def pick_views(frames: int, views: int, random: np.random.Generator) -> tuple[list[int], int]:
    """Indices of the sources, the reference first, and of the target, which is none of them where there are enough.

    The sources lie on both sides of the reference in time, or on one only, one or two frames apart.
    """
    step = int(random.integers(1, 3)) * (1 if random.random() < 0.5 else -1)
    reference = int(random.integers(frames))
    behind = int(random.integers(0, (views - 1) // 2 + 1))
    wanted = [reference + step * k for k in range(-behind, views - behind) if k != 0]
    others = [i for i in wanted if 0 <= i < frames][: max(frames - 2, 1)]  # one is left for the target
    spare = sorted(set(range(frames)) - {reference, *others}, key=lambda i: abs(i - reference))
    while len(others) < min(views - 1, frames - 2):
        others.append(spare.pop(0))
    near = spare[:4]
    target = int(random.choice(near)) if near else others[-1]
    return [reference, *others], target


def fused_distance(points: Tensor, depth: Tensor, K: Tensor, T_camera_window: Tensor, truncation_m: float) -> Tensor:
    """Signed distance [P] metres at points [P, 3] from depth images [V, h, w]; NaN where no view knows it.

    The mean over the views of the truncated distance along z, as a TSDF fuses it (Curless and Levoy 1996): views that
    look at something more than the truncation before the point know nothing about it.
    """
    local = torch.einsum("vij,pj->pvi", T_camera_window[:, :3, :3], points) + T_camera_window[:, :3, 3]
    z = local[..., 2]
    image = torch.einsum("vij,pvj->pvi", K, local)
    measured = sample_depth(depth, image[..., :2] / z.clamp(min=1e-3)[..., None])
    distance = measured - z
    known = (measured > 0) & (z > 1e-3) & (distance > -truncation_m)
    total = (distance.clamp(max=truncation_m) * known).sum(dim=1)
    return torch.where(known.any(dim=1), total / known.sum(dim=1).clamp(min=1), torch.nan)


def _surface_points(
    depth: Tensor, K: Tensor, T_camera_window: Tensor, config: WindowConfig, random: np.random.Generator
) -> Tensor:
    """Points [P, 3] on rays of pixels with depth: two thirds within the truncation of the surface, the rest before it.

    Without any depth they lie anywhere in the cube (and have no distance).
    """
    count = config.points
    valid = torch.nonzero(depth.flatten() > 0)[:, 0]
    if len(valid) == 0:
        half = 0.5 * config.side_m
        anywhere = torch.from_numpy(random.uniform(-half, half, (count, 3))).float()
        return anywhere + volume_center(config.side_m)
    chosen = valid[torch.from_numpy(random.integers(0, len(valid), count))]
    _, height, width = depth.shape
    view, v, u = chosen // (height * width), chosen // width % height, chosen % width
    surface = depth.flatten()[chosen]
    near = torch.from_numpy(random.uniform(-1, 1, count)).float() * config.truncation_m
    share = torch.from_numpy(random.random(count)).float()
    is_near = torch.from_numpy(random.random(count)) < 2 / 3
    z = torch.where(is_near, (surface + near).clamp(min=0.05), surface * share)
    local = torch.stack([(u - K[view, 0, 2]) / K[view, 0, 0] * z, (v - K[view, 1, 2]) / K[view, 1, 1] * z, z], dim=1)
    T = torch.linalg.inv(T_camera_window)[view]
    return torch.einsum("pij,pj->pi", T[:, :3, :3], local) + T[:, :3, 3]


def scaled_intrinsics(K: Tensor, scale: float) -> Tensor:
    """Intrinsics [V, 3, 3] of images resized by `scale`; pixel areas scale, centres follow."""
    out = K * scale
    out[:, :2, 2] = (K[:, :2, 2] + 0.5) * scale - 0.5
    out[:, 2, 2] = 1
    return out


def _other_light(images: Tensor, random: np.random.Generator, uneven: float) -> Tensor:
    """Another exposure, gamma and colour cast for a window, and slightly another exposure for each view."""
    gamma, cast = float(random.uniform(0.7, 1.4)), random.uniform(0.85, 1.15, (1, 3, 1, 1))
    exposure = random.uniform(0.7, 1.3) * random.uniform(1 - uneven, 1 + uneven, (len(images), 1, 1, 1))
    scale = torch.from_numpy(cast * exposure).float()
    noise = torch.from_numpy(random.standard_normal(images.shape, dtype=np.float32)) * float(random.uniform(0, 0.02))
    return (images.clamp(min=1e-4) ** gamma * scale + noise).clamp(0, 1)
