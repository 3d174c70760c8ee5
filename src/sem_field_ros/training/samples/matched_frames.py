"""Samples for the training of depth from posed views: frames matched with the views around them by plane sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.depth.network import StereoNet, summary
from sem_field_ros.depth.sweep import match_scores, patches
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.posed_scenes import PosedScene, scaled_intrinsics


class MatchedFrames:
    """Summary of the matching scores, context maps and depth [h, w] metres (0 = invalid) of a frame per sample.

    Every epoch has each frame once, mirrored half of the time. Scores, maps and patches are computed once and kept in
    memory. `net` gives the plane sweep and the frozen encoder of the context.
    """

    def __init__(self, scenes: Sequence[PosedScene], net: StereoNet, views: int, windows: int, seed: int) -> None:
        self._scenes, self._net = scenes, net
        self._views, self._windows, self._seed = views, windows, seed
        self.frames = [(s, f) for s, scene in enumerate(scenes) for f in range(len(scene))]
        self._scores: dict[tuple[int, int, int], Tensor] = {}
        self._context: dict[tuple[int, int], list[Tensor]] = {}
        self._patches: dict[int, Tensor] = {}

    def __getitem__(self, n: int) -> tuple[Tensor, list[Tensor], Tensor]:
        epoch, place = divmod(n, len(self.frames))
        scene, frame = self.frames[random_for(self._seed, 0, epoch).permutation(len(self.frames))[place]]
        sample = self.sample(scene, frame, epoch % self._windows)
        if random_for(self._seed, 1, n).random() < 0.5:
            return sample
        scores, context, depth = sample
        return scores.flip(-1), [x.flip(-1) for x in context], depth.flip(-1)

    def sample(self, scene: int, frame: int, window: int) -> tuple[Tensor, list[Tensor], Tensor]:
        """The sample of a frame of a scene with choice `window` of the other views, not mirrored."""
        data = self._scenes[scene]
        key = scene, frame, window
        if key not in self._scores:
            others = pick_others(len(data), frame, self._views, random_for(7, scene, frame, window))
            self._scores[key] = (self._summary(scene, frame, others) * 127).round().to(torch.int8)
        if (scene, frame) not in self._context:
            maps = self._net.encode(data.images[frame][None].float() / 255)
            self._context[scene, frame] = [x[0].half() for x in maps]
        return (
            self._scores[key].float() / 127,
            [x.float() for x in self._context[scene, frame]],
            _quarter(data.depth[frame], self._scores[key].shape[-2:]),
        )

    def _summary(self, scene: int, frame: int, others: list[int]) -> Tensor:
        data, sweep = self._scenes[scene], self._net.config.sweep
        if scene not in self._patches:  # of one scene at a time
            self._patches = {scene: torch.cat([patches(x[None].float() / 255, sweep) for x in data.images])}
        of_scene = self._patches[scene]
        T = np.stack([inverse(data.T_world_camera[i]) @ data.T_world_camera[frame] for i in others])
        K = scaled_intrinsics(data.K[[frame, *others]], 0.5)
        return summary(*match_scores(of_scene[frame], of_scene[others], K, torch.from_numpy(T).float(), sweep.depths()))

    def collate(self, samples: list[Any]) -> tuple[Tensor, list[Tensor], Tensor]:
        """Stack each part of the samples."""
        scores, context, depth = zip(*samples, strict=True)
        return torch.stack(scores), [torch.stack(maps) for maps in zip(*context, strict=True)], torch.stack(depth)


def pick_others(frames: int, reference: int, views: int, random: np.random.Generator) -> list[int]:
    """Up to `views` other frames around the reference in time, more before it than after, one or two frames apart."""
    step = 1 if random.random() < 0.7 else 2
    after = int(random.integers(1, views // 2 + 1)) if views > 1 else 0
    side = 1 if random.random() < 0.5 else -1
    wanted = [reference + side * step * k for k in range(-(views - after), after + 1) if k != 0]
    others = [i for i in wanted if 0 <= i < frames]
    if len(others) < 2:
        others = sorted({i for i in range(frames) if i != reference}, key=lambda i: abs(i - reference))[:views]
    return others


def _quarter(depth: Tensor, size: torch.Size) -> Tensor:
    """Every second pixel of a half-size depth image [H/2, W/2], cut or padded to the `size` of the scores."""
    rows = (torch.arange(size[0]) * 2 + 1).clamp(max=depth.shape[0] - 1)
    columns = (torch.arange(size[1]) * 2 + 1).clamp(max=depth.shape[1] - 1)
    return depth[rows[:, None], columns]
