"""Samples for the training of a GSNeRF: a target view of a scene and the source views nearest to it.

Given source depth gets smooth errors and holes in a share of the windows, as predicted depth has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from sem_field_ros.fields.common.rays import pixel_rays
from sem_field_ros.fields.common.window import nearest_views
from sem_field_ros.fields.gsnerf.window import Window
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.posed_scenes import REDUCTION, PosedScene

Sample = dict[str, Any]


@dataclass(frozen=True)
class TargetConfig:
    """`views` sources of which `predicted` get their depth predicted (with gradients); `rays` of the target.

    given   whether the other sources have their depth images, else it is predicted as well
    depth_errors  share of the windows whose given depth has errors     uneven_light  exposure differs by this share
    """

    views: int
    predicted: int
    rays: int
    given: bool = True
    depth_errors: float = 0.5
    uneven_light: float = 0.1


class TargetViews:
    """A random target view of a random scene per sample. A batch is a list of samples."""

    def __init__(self, scenes: Sequence[PosedScene], config: TargetConfig, seed: int) -> None:
        self._scenes, self._config, self._seed = scenes, config, seed

    def __getitem__(self, n: int) -> Sample:
        random = random_for(self._seed, n)
        return draw_target(self._scenes[int(random.integers(len(self._scenes)))], self._config, random)

    def collate(self, samples: list[Sample]) -> list[Sample]:
        """The samples as they are."""
        return samples


def draw_target(
    scene: PosedScene, config: TargetConfig, random: np.random.Generator, *, augment: bool = True
) -> Sample:
    """A random target view and its sources, in the frame of the target camera.

    images [V, 3, H, W] 0..1, classes [V, C, h, w], K [V, 3, 3], T_camera_target [V, 4, 4], depth [V, H/2, W/2] as
    given, true_depth [V, H/2, W/2]; target_K [3, 3] of the image, size [2]; chosen [R] pixels of H/2 x W/2, row by row,
    rgb [R, 3], label [R], target_depth [R]; predict: indices of sources
    """
    target = int(random.integers(len(scene)))
    sources = pick_sources(scene, target, config.views, random, augment=augment)
    views = [*sources, target]
    images = scene.images[views].float() / 255
    if augment:
        images = _other_light(images, random, config.uneven_light)
    depth = scene.depth[sources].clone()
    if augment and random.random() < config.depth_errors:
        depth = erroneous_depth(depth, random)
    T = np.stack([inverse(scene.T_world_camera[i]) @ scene.T_world_camera[target] for i in sources])
    height, width = scene.depth.shape[1:]
    chosen = torch.from_numpy(random.choice(height * width, min(config.rays, height * width), replace=False))
    row, column = chosen // width, chosen % width
    count = min(config.predicted, len(sources))
    predict = random.choice(len(sources), count, replace=False) if augment else np.arange(count)
    return {
        "images": images[:-1],
        "classes": scene.classes[sources].float() / 255,
        "K": scene.K[sources],
        "T_camera_target": torch.from_numpy(T.astype(np.float32)),
        "depth": depth if config.given else torch.zeros_like(depth),
        "true_depth": scene.depth[sources],
        "target_K": scene.K[target],
        "size": torch.tensor([images.shape[3], images.shape[2]]),
        "chosen": chosen,
        "rgb": images[-1][:, row * REDUCTION + 1, column * REDUCTION + 1].T,
        "label": scene.labels[target].flatten()[chosen].long(),
        "target_depth": scene.depth[target].flatten()[chosen],
        "predict": torch.from_numpy(np.sort(predict)),
        "complete": torch.tensor(not config.given),
    }


def window_of(sample: Sample) -> Window:
    """The input of the field."""
    width, height = (int(v) for v in sample["size"])
    camera = Intrinsics.from_matrix(sample["target_K"].cpu().numpy(), width, height)
    small = camera.scaled(width // REDUCTION, height // REDUCTION)
    v, u = torch.meshgrid(torch.arange(small.height), torch.arange(small.width), indexing="ij")
    pixels = torch.stack([u, v], dim=-1).reshape(-1, 2).float() * REDUCTION + 1  # those of depth and labels
    images = sample["images"]
    return Window(
        images,
        sample["classes"],
        sample["K"],
        sample["T_camera_target"],
        sample["depth"],
        small,
        pixel_rays(pixels.to(images), camera, torch.eye(4).to(images)),
        sample["chosen"],
        tuple(int(i) for i in sample["predict"]),
        bool(sample["complete"]),
    )


def pick_sources(
    scene: PosedScene, target: int, views: int, random: np.random.Generator, *, augment: bool = True
) -> list[int]:
    """The frames nearest to the target, the nearest first; in training some near ones are left out at random."""
    others = [i for i in range(len(scene)) if i != target]
    order = nearest_views(scene.T_world_camera[target], [scene.T_world_camera[i] for i in others], len(others))
    order = [others[i] for i in order]
    spare = len(order) - views
    if augment and spare > 0:
        left_out = random.choice(min(len(order), views + 3), min(spare, int(random.integers(0, 4))), replace=False)
        order = [i for n, i in enumerate(order) if n not in set(left_out.tolist())]
    return order[:views]


def erroneous_depth(depth: Tensor, random: np.random.Generator) -> Tensor:
    """Depth [V, h, w] with smooth relative errors of a few percent and rectangular holes."""
    views, height, width = depth.shape
    strength = float(random.uniform(0.005, 0.06))
    coarse = random.normal(0, strength, (views, 6, 8)).astype(np.float32)
    error = np.stack([cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) for field in coarse])
    out = depth * torch.from_numpy(np.exp(error))
    for view in range(views):
        for _ in range(int(random.integers(0, 3))):
            y, x = int(random.integers(0, height)), int(random.integers(0, width))
            out[view, y : y + height // 6, x : x + width // 6] = 0
    return out


def _other_light(images: Tensor, random: np.random.Generator, uneven: float) -> Tensor:
    """A random gamma and colour cast for the window, and a different exposure for each view."""
    gamma, cast = float(random.uniform(0.8, 1.25)), random.uniform(0.9, 1.1, (1, 3, 1, 1))
    exposure = random.uniform(1 - uneven, 1 + uneven, (len(images), 1, 1, 1))
    return (images.clamp(min=1e-4) ** gamma * torch.from_numpy(cast * exposure).float()).clamp(0, 1)
