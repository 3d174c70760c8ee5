"""Gain of each source view, so that differences of exposure between the sources leave no seams.

Surface points that two views see give the ratio of their colours; its median over the points resists occlusions and
highlights. Log gains that explain all pairs are found by least squares; the nearest views keep their exposure.
"""

from __future__ import annotations

import torch
from torch import Tensor

_DARK, _BRIGHT = 0.04, 0.8  # colours beyond tell little about exposure: cameras compress highlights
_RIDGE = 20.0  # points: pairs with fewer in common have little influence
_MOST = 4096  # points that are used


def source_gains(colors: Tensor, seen: Tensor, nearness: Tensor) -> Tensor:
    """Gains [V, 3] by which the colours of V views are multiplied.

    colors [N, V, 3] 0..1 of surface points and whether the views see them [N, V]; nearness [V] of the views to the
    target: their mean log gain with these weights is 0
    """
    step = max(1, len(colors) // _MOST)
    colors, seen = colors[::step], seen[::step]
    usable = seen & (colors.amin(dim=2) > _DARK) & (colors.amax(dim=2) < _BRIGHT)
    logs = colors.clamp(min=_DARK).log()
    views = colors.shape[1]
    system = torch.eye(views).to(colors) * 1e-3
    right = colors.new_zeros(views, 3)
    for a in range(views):
        for b in range(a + 1, views):
            both = usable[:, a] & usable[:, b]
            count = float(both.sum())
            if count == 0:
                continue
            ratio = (logs[both, a] - logs[both, b]).median(dim=0).values  # a + gain_a = b + gain_b
            weight = count / (count + _RIDGE)
            system[a, a] += weight
            system[b, b] += weight
            system[a, b] -= weight
            system[b, a] -= weight
            right[a] -= weight * ratio
            right[b] += weight * ratio
    log_gain = torch.linalg.solve(system, right)
    share = nearness / nearness.sum().clamp(min=1e-9)
    return (log_gain - (share[:, None] * log_gain).sum(dim=0)).exp()


def apply_gains(images: Tensor, gains: Tensor) -> Tensor:
    """Images [V, 3, H, W] times gains [V, 3], with white kept white, as a camera's shoulder does."""
    factor = gains[:, :, None, None]
    return images * factor / (1 + (factor - 1) * images**4).clamp(min=0.1)
