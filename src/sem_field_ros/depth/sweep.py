"""Plane sweep: how well the pixels of a view match those of other views, at each of a number of depths.

A pixel is compared by a normalised patch around it (geometry/patches.py): the product of two is their correlation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from sem_field_ros.geometry.patches import normalised_patches


@dataclass(frozen=True)
class SweepConfig:
    """`planes` depths from near_m to far_m at equal ratios; patches of `patch`^2 pixels at half the size of the image.

    order  cosine coefficients (u, v) of a patch are kept while u + v <= order and both <= order - 1
    noise  contrast (standard deviation of grey values 0..1) below which a patch counts as flat and matches nothing
    """

    planes: int = 48
    near_m: float = 0.4
    far_m: float = 8.0
    patch: int = 5
    order: int = 4
    noise: float = 0.01

    def depths(self) -> Tensor:
        """[planes] metres, ascending."""
        return torch.exp(torch.linspace(math.log(self.near_m), math.log(self.far_m), self.planes))


def patches(images: Tensor, config: SweepConfig) -> Tensor:
    """Normalised patches [V, P, H/2, W/2] of images [V, 3, H, W] RGB 0..1."""
    return normalised_patches(images, config.patch, config.order, config.noise)


def match_scores(
    reference: Tensor, sources: Tensor, K: Tensor, T_source_reference: Tensor, depths: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores of V sources at D depths for each pixel of the reference, at a quarter of the size of the image.

    reference [P, h, w] and sources [V, P, h, w] are patches; K [1 + V, 3, 3] of images of that size, the reference
    first; T_source_reference [V, 4, 4]; depths [D] metres
    -> scores [V, D, h/2, w/2] in -1..1, and whether the point lies in the source, [V, D, h/2, w/2] bool (else score 0)
    """
    _, height, width = reference.shape
    wanted = avg_pool2d(reference[None], 2)[0]
    wanted = wanted / wanted.norm(dim=0, keepdim=True).clamp(min=1.0)
    rows, columns = wanted.shape[1:]
    v, u = torch.meshgrid(
        torch.arange(rows, device=K.device) * 2 + 0.5, torch.arange(columns, device=K.device) * 2 + 0.5, indexing="ij"
    )
    ray = torch.stack([(u - K[0, 0, 2]) / K[0, 0, 0], (v - K[0, 1, 2]) / K[0, 1, 1], torch.ones_like(u)]).reshape(3, -1)
    scores, inside = [], []
    for source, camera, T in zip(sources, K[1:], T_source_reference, strict=True):
        points = (T[:3, :3] @ ray)[None] * depths[:, None, None] + T[:3, 3, None]  # [D, 3, h * w]
        z = points[:, 2]
        image = camera @ points
        pixel = image[:, :2] / z.clamp(min=1e-3)[:, None]
        grid = (pixel + 0.5) / pixel.new_tensor([width, height])[:, None] * 2 - 1
        seen = (z > 0.05) & (grid.abs() < 1).all(dim=1)
        sampled = grid_sample(source[None], grid.permute(0, 2, 1)[None].to(source.dtype), align_corners=False)[0]
        score = (sampled * wanted.reshape(wanted.shape[0], 1, -1)).sum(dim=0)  # [D, h * w]
        scores.append((score * seen).reshape(len(depths), rows, columns))
        inside.append(seen.reshape(len(depths), rows, columns))
    return torch.stack(scores), torch.stack(inside)


def mean_score(scores: Tensor, inside: Tensor, min_views: int) -> Tensor:
    """Mean score [D, h, w] over the views [V, D, h, w] that see a point; -1 if fewer than `min_views` do."""
    count = inside.sum(dim=0)
    return torch.where(count >= min_views, scores.sum(dim=0) / count.clamp(min=1), -1.0)


def best_match(mean: Tensor, allowed: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The best of mean scores [D, h, w] (among `allowed` [D, h, w] bool), to a fraction of a plane by a parabola.

    -> its place in planes [h, w] float, its score [h, w], and whether no neighbour scores more [h, w] bool
    """
    candidates = mean if allowed is None else mean.masked_fill(~allowed, -1.0)
    index = candidates.argmax(dim=0).clamp(1, len(mean) - 2)
    before, at, after = (mean.gather(0, (index + k)[None])[0] for k in (-1, 0, 1))
    offset = (0.5 * (before - after) / (before - 2 * at + after).clamp(max=-1e-6)).clamp(-0.5, 0.5)
    return index + offset, at, (at >= before) & (at >= after)
