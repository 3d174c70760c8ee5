"""Predictions of made-up segmenters: true labels with confusions of real ones, wrong by whole patches of surface."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.training.samples.context_scenes import ContextScene

_FEWEST, _MOST = 30, 160  # patches of a scene
_FAR_M = 100.0
_FLAT = 0.02  # of every confusion, so that none is impossible


def measured_confusions(scenes: Iterable[ContextScene], classes: int) -> Tensor:
    """Rows of shares [M, C, C], true class by predicted class, of every source of every scene; zeros where unseen."""
    matrices = []
    for scene in scenes:
        for fused, views in zip(scene.fused, scene.views, strict=True):
            at = (scene.label >= 0) & (views > 0)
            pairs = scene.label[at] * classes + fused[at].argmax(dim=1)
            counts = torch.bincount(pairs, minlength=classes**2).reshape(classes, classes).float()
            matrices.append(counts / counts.sum(dim=1, keepdim=True).clamp(min=1))
    return torch.stack(matrices)


def confused(label: Tensor, position: Tensor, matrices: Tensor, rng: np.random.Generator) -> Tensor:
    """Probabilities [N, C] of a made-up segmenter for points [N, 3] of class `label` [N] (-1: uniform).

    It errs on whole patches of one object or wall; how often, and with what, is drawn for every class from mixtures of
    the measured `matrices` [M, C, C].
    """
    classes = matrices.shape[1]
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    chance = _mixture(matrices, generator)
    patch, of_patch = _patches(label, position, int(rng.integers(_FEWEST, _MOST)), generator)
    error_rate = torch.from_numpy(rng.beta(0.6, 1.2, classes)).float()
    wrong = torch.multinomial(chance[of_patch] * (1 - torch.eye(classes))[of_patch], 1, generator=generator)[:, 0]
    errs = torch.rand(len(of_patch), generator=generator) < error_rate[of_patch]
    shown = torch.where(errs, wrong, of_patch)
    sure = torch.rand(len(of_patch), 1, generator=generator) * 0.65 + 0.3
    rest = chance[of_patch] * torch.rand(len(of_patch), classes, generator=generator)
    rest = rest / rest.sum(dim=1, keepdim=True)
    of = torch.nn.functional.one_hot(of_patch, classes) * torch.rand(len(of_patch), 1, generator=generator)
    values = sure * torch.nn.functional.one_hot(shown, classes) + (1 - sure) * (0.5 * rest + 0.5 * of)
    points = values[patch] * torch.exp(0.3 * torch.randn(len(label), classes, generator=generator))
    points[label < 0] = 1.0
    return points / points.sum(dim=1, keepdim=True)


def _mixture(matrices: Tensor, generator: torch.Generator) -> Tensor:
    """A random mixture of three of the matrices, with a little of every confusion: [C, C]."""
    chosen = torch.randint(len(matrices), (3,), generator=generator)
    weight = torch.rand(3, generator=generator)
    return (matrices[chosen] * weight[:, None, None]).sum(dim=0) / weight.sum() + _FLAT


def _patches(label: Tensor, position: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A patch for every point [N], of its own class: that of the nearest of `count` seeds; and their classes."""
    known = (label >= 0).nonzero()[:, 0]
    seeds = known[torch.randint(len(known), (count,), generator=generator)]
    # a point whose class has no seed takes one of another class, as at a ragged border
    distance = torch.cdist(position, position[seeds])
    distance[label[:, None] != label[seeds]] += _FAR_M
    return distance.argmin(dim=1), label[seeds]
