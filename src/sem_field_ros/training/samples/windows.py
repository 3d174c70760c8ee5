"""Samples for the training of a GNeSF: windows of posed views of a scene, with a target view and points in space.

The points have a signed distance that is fused from the depth images of these views as a TSDF fuses it (a weighted mean
of truncated distances along z), but at any point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.fields.common.rays import Rays, pixel_rays
from sem_field_ros.fields.common.tensors import SourceImages
from sem_field_ros.fields.common.views import sample_depth
from sem_field_ros.fields.common.window import camera_from_window, level_frame, volume_center
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.posed_scenes import REDUCTION, PosedScene, scaled_intrinsics

Window = dict[str, Any]  # plain tensors by name, see draw_window


@dataclass(frozen=True)
class WindowConfig:
    """Sizes of a sample: `views` sources, `points` with a distance, `rays` of the target view, a cube of `side_m`.

    uneven_light  how much the exposure differs between the views of a window, as a share
    depth_share   share of the windows in which the field is given the depth images of the sources
    """

    views: int
    points: int
    rays: int
    side_m: float
    truncation_m: float
    uneven_light: float = 0.07
    depth_share: float = 0.0


class WindowSamples:
    """A window of a random scene per sample. A batch is a list of windows."""

    def __init__(self, scenes: Sequence[PosedScene], config: WindowConfig, seed: int) -> None:
        self._scenes, self._config, self._seed = scenes, config, seed

    def __getitem__(self, n: int) -> Window:
        random = random_for(self._seed, n)
        return draw_window(self._scenes[int(random.integers(len(self._scenes)))], self._config, random)

    def collate(self, samples: list[Window]) -> list[Window]:
        """The windows as they are."""
        return samples


def draw_window(
    scene: PosedScene, config: WindowConfig, random: np.random.Generator, *, augment: bool = True
) -> Window:
    """A random window of a scene, all in the frame of its reference view (fields/common/window.py).

    images [V, 3, H, W] 0..1, classes [V, C, h, w], K [V, 3, 3], T_camera_window [V, 4, 4], center [3]: the sources
    target_K [3, 3], T_window_target [4, 4], pixels [R, 2] (u, v of the image), rgb [R, 3], label [R], depth [R]
    points [P, 3], sdf [P] metres, NaN where no view observes it; reference_depth [H/2, W/2]
    source_depth [V, H/2, W/2]: the depth of the sources that the field is given, 0 = none
    """
    sources, target = pick_views(len(scene), config.views, random)
    T_world_window = level_frame(scene.T_world_camera[sources[0]])
    poses = camera_from_window(scene.T_world_camera[[*sources, target]], T_world_window)
    depth, K = scene.depth[[*sources, target]], scene.K[[*sources, target]]
    K_depth = scaled_intrinsics(K, 1 / REDUCTION)
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
        "pixels": pixel.float() * REDUCTION + 1,  # the pixel that `nearest_pixels` took depth and label from
        "rgb": images[-1][:, v * REDUCTION + 1, u * REDUCTION + 1].T,
        "label": scene.labels[target, v, u].long(),
        "depth": scene.depth[target, v, u],
        "points": points,
        "sdf": fused_distance(points, depth, K_depth, poses, config.truncation_m),
        "reference_depth": scene.depth[sources[0]],
        "source_depth": depth[:-1] * float(random.random() < config.depth_share),
    }


def sources_of(window: Window) -> SourceImages:
    """The source views of a window."""
    depth = window["source_depth"]
    return SourceImages(window["images"], window["classes"], window["K"], window["T_camera_window"], depth)


def target_rays(window: Window) -> Rays:
    """The rays of a window's target view, in its frame."""
    K = window["target_K"].cpu().numpy()
    size = np.ceil(2 * K[:2, 2] + 1).astype(int)  # pixel_rays only needs the intrinsics
    camera = Intrinsics.from_matrix(K, max(1, int(size[0])), max(1, int(size[1])))
    return pixel_rays(window["pixels"], camera, window["T_window_target"])


def pick_views(frames: int, views: int, random: np.random.Generator) -> tuple[list[int], int]:
    """Indices of the sources, the reference first, and of the target, which is another one if there are enough frames.

    The sources lie on both sides of the reference in time, or on one side, one or two frames apart.
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
    """Signed distance [P] metres at points [P, 3] from depth images [V, h, w]; NaN where no view observes it.

    The mean over the views of the truncated distance along z, as a TSDF fuses it (Curless and Levoy 1996). Views with a
    surface more than the truncation in front of the point do not observe it.
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


def _other_light(images: Tensor, random: np.random.Generator, uneven: float) -> Tensor:
    """A random exposure, gamma and colour cast for the window, and a slightly different exposure for each view."""
    gamma, cast = float(random.uniform(0.7, 1.4)), random.uniform(0.85, 1.15, (1, 3, 1, 1))
    exposure = random.uniform(0.7, 1.3) * random.uniform(1 - uneven, 1 + uneven, (len(images), 1, 1, 1))
    scale = torch.from_numpy(cast * exposure).float()
    noise = torch.from_numpy(random.standard_normal(images.shape, dtype=np.float32)) * float(random.uniform(0, 0.02))
    return (images.clamp(min=1e-4) ** gamma * scale + noise).clamp(0, 1)
