"""Plane sweep: a textured wall matches at its depth at any exposure; nothing matches outside an image."""

from __future__ import annotations

import numpy as np
import torch

from sem_field_ros.depth.network import summary
from sem_field_ros.depth.sweep import SweepConfig, match_scores, patches

WALL_M, WIDTH, HEIGHT, FOCAL = 2.0, 64, 48, 60.0
SWEEP = SweepConfig(planes=24, near_m=0.5, far_m=6.0)
K = torch.tensor([[FOCAL, 0, (WIDTH - 1) / 2], [0, FOCAL, (HEIGHT - 1) / 2], [0, 0, 1]])


def wall_view(x_m: float) -> torch.Tensor:
    """A wall of smooth waves WALL_M ahead, seen from x_m to the right: RGB [3, H, W]."""
    v, u = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    x = (u - K[0, 2]) / FOCAL * WALL_M + x_m
    y = (v - K[1, 2]) / FOCAL * WALL_M
    grey = 0.5 + 0.2 * torch.sin(17 * x + 3 * y) + 0.2 * torch.sin(11 * y - 5 * x)
    return grey.expand(3, -1, -1)


def scores_of(views: list[torch.Tensor], shifts: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    of_views = patches(torch.stack([wall_view(0.0), *views]), SWEEP)
    half = K / 2
    half[:2, 2] = (K[:2, 2] + 0.5) / 2 - 0.5
    half[2, 2] = 1
    T = torch.eye(4).repeat(len(views), 1, 1)
    T[:, 0, 3] = -torch.tensor(shifts)
    return match_scores(of_views[0], of_views[1:], half.repeat(1 + len(views), 1, 1), T, SWEEP.depths())


def test_a_wall_matches_at_its_depth() -> None:
    scores, inside = scores_of([wall_view(0.2), wall_view(-0.3)], [0.2, -0.3])
    mean = summary(scores, inside)[: SWEEP.planes]
    found = SWEEP.depths()[mean[:, 3:-3, 5:-5].argmax(dim=0)]
    step = SWEEP.depths()[1] / SWEEP.depths()[0]
    assert ((found / WALL_M).log().abs() < 1.01 * step.log()).float().mean() > 0.95
    assert mean.amax(dim=0)[3:-3, 5:-5].min() > 0.6  # the mean of four neighbouring patches is a little shorter


def test_exposure_does_not_matter_and_flat_patches_match_nothing() -> None:
    bright, _ = scores_of([0.5 * wall_view(0.2) + 0.3], [0.2])
    same, _ = scores_of([wall_view(0.2)], [0.2])
    assert torch.allclose(bright, same, atol=0.03)
    flat, inside = scores_of([torch.full((3, HEIGHT, WIDTH), 0.5)], [0.2])
    assert inside.any() and flat.abs().max() < 1e-3


def test_scores_outside_of_the_image_are_zero() -> None:
    scores, inside = scores_of([wall_view(9.0)], [9.0])
    assert not inside[0, SWEEP.depths() < 3.0].any() and (scores[~inside] == 0).all()


def test_the_summary_does_not_depend_on_the_order_of_views() -> None:
    rng = torch.Generator().manual_seed(0)
    scores = torch.rand(3, 4, 5, 6, generator=rng)
    inside = torch.rand(3, 4, 5, 6, generator=rng) < 0.7
    scores = scores * inside
    order = [2, 0, 1]
    assert torch.allclose(summary(scores, inside), summary(scores[order], inside[order]))
    one = summary(scores[:1], inside[:1])
    assert torch.equal(one[:4], scores[0]) and torch.equal(one[4:8], scores[0])
    assert np.isclose(float(one[8, 0, 0]), float(inside[0, :, 0, 0].float().mean()) / 8)
