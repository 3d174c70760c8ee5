"""Depth-guided sampling (Eq. 8): samples around the target depth, uniform ones where it is unknown."""

from __future__ import annotations

import torch
from torch import Tensor

from sem_field_ros.fields.common.rendering import sample_along_rays

_LARGEST = 3.0  # standard deviations


def guided_samples(
    depth: Tensor, count: int, spread: Tensor | float, generator: torch.Generator | None = None
) -> Tensor:
    """Depths [R, count], ascending, normally distributed around depth [R] with `spread` of it as standard deviation.

    Without a generator they are the quantiles of equal probability; an odd number then has the depth itself.
    """
    if generator is None:
        places = (torch.arange(count, dtype=depth.dtype, device=depth.device) + 0.5) / count
        normal = (torch.special.ndtri(places.double()).to(depth)).expand(len(depth), -1)
    else:
        normal = torch.randn(len(depth), count, generator=generator, dtype=depth.dtype, device=depth.device)
        normal = normal.sort(dim=1).values
    width = torch.as_tensor(spread, dtype=depth.dtype, device=depth.device) * depth
    return (depth[:, None] + normal.clamp(-_LARGEST, _LARGEST) * width[:, None]).clamp(min=1e-2)


def uniform_samples(
    rays: int, count: int, near_m: float, far_m: float, like: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Depths [rays, count] from near to far in equal ratios, ascending: of rays without a target depth."""
    near, far = like.new_full((rays,), near_m), like.new_full((rays,), far_m)
    return sample_along_rays(near, far, count, generator, log=True)


def mixed_samples(
    depth: Tensor, count: int, spread: float, near_m: float, far_m: float, generator: torch.Generator | None = None
) -> Tensor:
    """Depths [R, count], ascending: half guided, half uniform, for the start of a training (appendix A.4)."""
    uniform = uniform_samples(len(depth), count // 2, near_m, far_m, depth, generator)
    guided = guided_samples(depth, count - count // 2, spread, generator)
    return torch.cat([guided, uniform], dim=1).sort(dim=1).values
