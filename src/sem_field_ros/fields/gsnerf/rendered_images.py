"""Rendered images: classes smoothed over surface that faces the same way, as in the map; holes in colour filled."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize, pad

_SAME_WAY = 0.8  # least cosine between normals


def smooth_classes(classes: Tensor, points: Tensor, reach_m: float, radius: int) -> Tensor:
    """The mean of classes [h, w, C] over pixels up to `radius` apart whose surface is near, weighted by distance.

    points [h, w, 3] metres, NaN where there is no surface; reach_m is the distance at which a pixel weighs 1/e
    """
    height, width, _ = classes.shape
    normals = surface_normals(points)
    known = torch.isfinite(normals).all(dim=2) & torch.isfinite(points).all(dim=2)
    data = torch.cat([classes, points, normals, known[..., None].to(classes)], dim=2)
    data = torch.where(known[..., None], data, 0.0)
    count = classes.shape[2]
    padded = pad(data.permute(2, 0, 1), (radius,) * 4)
    total = torch.zeros_like(classes).permute(2, 0, 1)
    own = data.permute(2, 0, 1)
    for dy in range(2 * radius + 1):
        for dx in range(2 * radius + 1):
            other = padded[:, dy : dy + height, dx : dx + width]
            square = (other[count : count + 3] - own[count : count + 3]).square().sum(dim=0)
            facing = (other[count + 3 : count + 6] * own[count + 3 : count + 6]).sum(dim=0)
            weight = torch.exp(-square / reach_m**2) * (facing > _SAME_WAY) * other[-1]
            total = total + weight * other[:count]
    total = total.permute(1, 2, 0)
    sums = total.sum(dim=2, keepdim=True)
    return torch.where(known[..., None] & (sums > 0), total / sums.clamp(min=1e-9), classes)


def surface_normals(points: Tensor) -> Tensor:
    """Unit normals [h, w, 3] of points [h, w, 3] by central differences; NaN where a neighbour has no surface."""
    across = points[:, 2:] - points[:, :-2]
    down = points[2:] - points[:-2]
    inner = torch.linalg.cross(across[1:-1], down[:, 1:-1], dim=2)
    found = torch.full_like(points, torch.nan)
    found[1:-1, 1:-1] = normalize(inner, dim=2)
    found[0], found[-1] = found[1].clone(), found[-2].clone()
    found[:, 0], found[:, -1] = found[:, 1].clone(), found[:, -2].clone()
    return found


def inpaint(rgb: Tensor, shown: Tensor) -> Tensor:
    """rgb [h, w, 3] with the pixels that are not `shown` [h, w] filled; unchanged where it is, black without any."""
    weight = shown.to(rgb)[None, None]
    value = rgb.permute(2, 0, 1)[None] * weight
    pyramid = [(value, weight)]
    while max(weight.shape[-2:]) > 1:
        value, weight = (avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in pyramid[-1])
        pyramid.append((value, weight))
    value, weight = pyramid[-1]
    filled = value / weight.clamp(min=1e-6)
    for value, weight in reversed(pyramid[:-1]):
        coarse = interpolate(filled, value.shape[-2:], mode="bilinear", align_corners=False)
        share = (4 * weight).clamp(max=1)
        filled = share * value / weight.clamp(min=1e-6) + (1 - share) * coarse
    return torch.where(shown[..., None], rgb, filled[0].permute(1, 2, 0))
