"""Samples for the context network: a scene, moved and damaged at random, with the predictions of a random segmenter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.context.floor import floor_height
from sem_field_ros.context.network import RoomSurface
from sem_field_ros.geometry.axes import upright
from sem_field_ros.geometry.tsdf import unique_keys
from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.confusions import confused, measured_confusions
from sem_field_ros.training.samples.context_scenes import ContextScene

Rng = np.random.Generator
_PERIOD_M = 1.6  # scenes are shifted within one period of the cells' lattice


@dataclass(frozen=True)
class ContextDraw:
    """made_up  share of the samples with made-up predictions; as many mix them with real ones by patches
    damage  scale of holes, missing views, noise and errors of the floor      seed  of all random numbers
    """

    made_up: float
    damage: float
    seed: int


@dataclass(frozen=True)
class ContextSample:
    """A surface with true classes [N], -1 = unlabelled."""

    surface: RoomSurface
    label: Tensor


class ContextSamples:
    """One scene per sample, each equally often."""

    def __init__(self, scenes: Sequence[ContextScene], draw: ContextDraw) -> None:
        self._scenes, self._draw = scenes, draw
        self._matrices = measured_confusions(scenes, scenes[0].fused.shape[2])

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        rng = random_for(self._draw.seed, 0, n)
        scene = self._scenes[int(rng.integers(len(self._scenes)))]
        fused, support = self._predictions(scene, rng)
        sample = ContextSample(upright_surface(scene, fused, support), scene.label)
        return packed(damaged(moved(sample, rng), self._draw.damage, rng))

    def collate(self, samples: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
        """The samples as they are: scenes differ in size."""
        return samples

    def _predictions(self, scene: ContextScene, rng: Rng) -> tuple[Tensor, Tensor]:
        fused, support = mixed_sources(scene, torch.from_numpy(rng.dirichlet(np.full(len(scene.sources), 0.4))).float())
        kind = rng.random() / max(self._draw.made_up, 1e-9)
        if kind < 2:
            made_up = confused(scene.label, scene.position, self._matrices, rng)
            share = 1.0 if kind < 1 else float(rng.uniform(0.2, 0.8))
            fused = fused + share * (made_up - fused) * (support > 0)[:, None]
        power = math.exp(rng.uniform(math.log(0.6), math.log(2.5)))  # a product of views is surer than their mean
        raised = fused**power
        return raised / raised.sum(dim=1, keepdim=True).clamp(min=1e-9), support


def mixed_sources(scene: ContextScene, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities [R, C] and support [R] of the sources together, each with a weight [S]."""
    fused = torch.einsum("src,s->rc", scene.fused.float(), weight)
    views = scene.views.amax(dim=0).float()
    return fused / fused.sum(dim=1, keepdim=True).clamp(min=1e-9), 1 - 0.5**views


def upright_surface(scene: ContextScene, fused: Tensor, support: Tensor, voxel_m: float = 0.05) -> RoomSurface:
    """The scene's surface with z up, from the floor on if there is one."""
    R = torch.from_numpy(upright(scene.up.double().numpy())).float()
    position, normal = scene.position @ R.T, scene.normal @ R.T
    floor = floor_height(position[:, 2], normal[:, 2], voxel_m)
    position = position - torch.tensor([0.0, 0.0, floor or 0.0])
    return RoomSurface(position, normal, fused, support, voxel_m, floor is not None)


def moved(sample: ContextSample, rng: Rng) -> ContextSample:
    """The room turned about the vertical, mirrored, a little tilted, scaled, and shifted against the cells' lattice."""
    surface = sample.surface
    R = _turn(rng.uniform(0, 2 * math.pi)) @ _tilt(math.radians(rng.normal(0, 1.0)), rng.uniform(0, 2 * math.pi))
    if rng.random() < 0.5:
        R = R @ np.diag([-1.0, 1.0, 1.0])
    turn, scale = torch.from_numpy(R).float(), float(rng.uniform(0.9, 1.1))
    shift = np.append(rng.uniform(0, _PERIOD_M, 2), 0.0)
    position = surface.position @ turn.T * scale + torch.from_numpy(shift).float()
    normal = surface.normal @ turn.T
    return replace(sample, surface=replace(surface, position=position, normal=normal, voxel_m=surface.voxel_m * scale))


def damaged(sample: ContextSample, damage: float, rng: Rng) -> ContextSample:
    """The room as worse cameras map it: holes, parts never seen or without a label, noise, a wrong or unknown floor."""
    surface, count = sample.surface, len(sample.label)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    position = surface.position + 0.01 * damage * rng.uniform(0, 1.5) * torch.randn(count, 3, generator=generator)
    normal = surface.normal + 0.15 * damage * rng.uniform(0, 1) * torch.randn(count, 3, generator=generator)
    normal = torch.nn.functional.normalize(normal)
    support = torch.where(_in_balls(position, int(rng.integers(0, 4)), damage, rng), 0.0, surface.support)
    fused = surface.fused * (support > 0)[:, None]
    kept = torch.rand(count, generator=generator) > damage * rng.uniform(0, 0.3)
    kept &= ~_in_balls(position, int(rng.integers(0, 5)), damage, rng)
    if rng.random() < 0.4 * damage:  # few views
        centre = position[int(rng.integers(count)), :2]
        kept &= (position[:, :2] - centre).norm(dim=1) < rng.uniform(1.0, 2.5)
    voxel_m = surface.voxel_m
    if rng.random() < 0.2 * damage:
        voxel_m = float(rng.uniform(1.3, 2.0)) * voxel_m
        kept &= _one_each(position, voxel_m)
    position[:, 2] += float(rng.normal(0, 0.03)) * damage
    known = surface.floor_known
    chance = rng.random()
    if chance < 0.15 * damage:
        known = False
        position[:, 2] += float(rng.uniform(0, _PERIOD_M))
    elif chance < 0.18 * damage:  # a table top taken for the floor
        position[:, 2] -= float(rng.uniform(0.3, 0.8))
    worse = RoomSurface(position[kept], normal[kept], fused[kept], support[kept], voxel_m, known)
    return ContextSample(worse, sample.label[kept])


def packed(sample: ContextSample) -> dict[str, Tensor]:
    """A sample as tensors."""
    s = sample.surface
    facts = torch.tensor([s.voxel_m, float(s.floor_known)])
    return {"position": s.position, "normal": s.normal, "fused": s.fused, "support": s.support, "facts": facts,
            "label": sample.label}  # fmt: skip


def unpacked(batch: dict[str, Tensor]) -> ContextSample:
    """The inverse of `packed`."""
    voxel_m, known = batch["facts"].tolist()
    surface = RoomSurface(batch["position"], batch["normal"], batch["fused"], batch["support"], voxel_m, known > 0)
    return ContextSample(surface, batch["label"])


def _in_balls(position: Tensor, count: int, damage: float, rng: Rng) -> Tensor:
    inside = torch.zeros(len(position), dtype=torch.bool)
    for _ in range(count):
        centre = position[int(rng.integers(len(position)))]
        inside |= (position - centre).norm(dim=1) < damage * rng.uniform(0.1, 0.5)
    return inside


def _one_each(position: Tensor, edge_m: float) -> Tensor:
    """One point [N] bool in each cell of this edge."""
    cells, cell = unique_keys((position / edge_m).floor())
    first = torch.full((len(cells),), -1).scatter_(0, cell, torch.arange(len(cell)))
    kept = torch.zeros(len(position), dtype=torch.bool)
    kept[first] = True
    return kept


def _turn(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _tilt(angle: float, azimuth: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return _turn(azimuth) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ _turn(-azimuth)
