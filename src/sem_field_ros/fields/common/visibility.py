"""Which views see a point, by the signed distance along the ray (GNeSF, Sec. 4.2) or by the view's depth image.

A ray that meets a surface before the point goes + - +: in front of it, inside, in front of the point's own surface.
Samples start at the camera and end one step before the point, so that its own surface does not block it; until there a
change from + to - is enough, which also finds points on the far side of an object.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

SdfFunction = Callable[[Tensor], Tensor]  # points [N, 3] -> signed distance [N] metres, NaN = unknown


@torch.no_grad()
def visible_by_sdf(sdf: SdfFunction, origins: Tensor, points: Tensor, step_m: float, chunk: int = 1 << 20) -> Tensor:
    """Whether the camera centres [V, 3] see the points [N, 3] (world, metres) -> [N, V] bool.

    step_m  distance of the samples: no more than the truncation, or thin surfaces are stepped over. Samples at which
            nothing is known (NaN) neither block nor clear.
    """
    pairs = torch.cartesian_prod(
        torch.arange(len(points), device=points.device), torch.arange(len(origins), device=points.device)
    ).reshape(-1, 2)
    seen = torch.empty(len(pairs), dtype=torch.bool, device=points.device)
    if len(pairs) == 0:
        return seen.reshape(len(points), len(origins))
    length = (points[:, None] - origins[None]).norm(dim=-1).flatten()
    steps = max(1, math.ceil(float(length.max()) / step_m))
    for part in torch.arange(len(pairs), device=points.device).split(max(1, chunk // steps)):
        start, end = origins[pairs[part, 1]], points[pairs[part, 0]]
        seen[part] = ~_occluded(sdf, start, end, length[part], step_m)
    return seen.reshape(len(points), len(origins))


def _occluded(sdf: SdfFunction, start: Tensor, end: Tensor, length: Tensor, step_m: float) -> Tensor:
    """Whether the values from `start` to `end` [n, 3] go from positive to negative."""
    steps = max(1, math.ceil(float(length.max()) / step_m))
    distance = torch.arange(steps, device=start.device, dtype=start.dtype) * step_m
    direction = (end - start) / length.clamp(min=1e-9)[:, None]
    used = distance[None] < length[:, None] - step_m
    samples = start[:, None] + distance[None, :, None] * direction[:, None]
    values = torch.full(used.shape, float("nan"), dtype=start.dtype, device=start.device)
    values[used] = sdf(samples[used])
    was_outside = (values > 0).int().cummax(dim=1).values.bool()  # NaN compares false
    return (was_outside & (values < 0)).any(dim=1)


def visible_by_depth(z: Tensor, depth: Tensor, tolerance_m: Tensor | float) -> Tensor:
    """Whether points at depth z [N, V] agree with the depth images there [N, V] (0 = invalid: not seen)."""
    return (depth > 0) & ((z - depth).abs() < tolerance_m)
