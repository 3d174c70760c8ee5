"""Depth of a target view: the depths of the source views, projected with a z-buffer; holes stay invalid (0).

The paper's algorithm projects source pixels into the target view. Here the nearest one wins, then each pixel's depth is
checked against the source it came from and moved onto that source's surface along the pixel's own ray, which removes
the rounding to pixels. Pixels between projected ones of a nearer surface are tried with that surface's depth and take
it only if a source confirms it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from sem_field_ros.fields.common.rays import Rays
from sem_field_ros.fields.common.views import SourceViews, project_points, sample_depth
from sem_field_ros.fields.gsnerf.source_depth import enlarged_depth
from sem_field_ros.geometry.camera import Intrinsics

_TOLERANCE = 0.02  # of the depth: a source confirms a surface this near
_STEPS = 1  # of the correction along the ray


def project_depth(views: SourceViews, camera: Intrinsics, T_camera_world: Tensor) -> Tensor:
    """Nearest projected depth [h, w] metres along z of all pixels of the views' depth [V, H, W], 0 where none falls."""
    assert views.depth is not None
    buffer = torch.full((camera.height * camera.width,), torch.inf, device=views.depth.device)
    for depth, K, T in zip(views.depth, views.K, views.T_camera_world, strict=True):
        points = _unprojected(depth, K, views.size)
        local = (
            points @ (T_camera_world @ torch.linalg.inv(T))[:3, :3].T + (T_camera_world @ torch.linalg.inv(T))[:3, 3]
        )
        z = local[:, 2]
        front = z > 1e-3
        local, z = local[front], z[front]
        u = (local[:, 0] / z * camera.fx + camera.cx).round().long()
        v = (local[:, 1] / z * camera.fy + camera.cy).round().long()
        inside = (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
        index = v[inside] * camera.width + u[inside]
        buffer.scatter_reduce_(0, index, z[inside], "amin")
    return torch.where(buffer.isfinite(), buffer, 0).reshape(camera.height, camera.width)


def target_depth(views: SourceViews, camera: Intrinsics, T_camera_world: Tensor, rays: Rays) -> Tensor:
    """Depth [h, w] metres along z of a camera, 0 = no source sees the pixel's surface.

    rays  of the camera's pixels, row by row, in the world of the views
    """
    projected = project_depth(views, camera, T_camera_world)
    found = on_surface(views, rays, projected.flatten()).reshape(projected.shape)
    known = projected > 0
    nearest = -max_pool2d(torch.where(known, -projected, -torch.inf)[None, None], 3, 1, 1)[0, 0]
    farthest = max_pool2d(projected[None, None], 3, 1, 1)[0, 0]
    before = nearest.isfinite() & ((found <= 0) | (nearest < (1 - 2 * _TOLERANCE) * found))
    behind = known & (found <= 0)
    out = found.flatten().clone()
    for candidate, wanted in ((farthest, behind), (nearest, before)):
        index = wanted.flatten().nonzero()[:, 0]
        value = on_surface(views, rays[index], candidate.flatten()[index])
        out[index] = torch.where(value > 0, value, out[index])
    return out.reshape(projected.shape)


def consensus_depth(views: SourceViews, camera: Intrinsics, T_camera_world: Tensor) -> Tensor:
    """Depth [h, w] metres of a camera from predicted depth, which has errors: the median of what each source projects.

    The nearest of eight projected depths would be the one with the largest error. 0 where no source projects.
    """
    assert views.depth is not None
    small = camera.scaled(max(1, camera.width // 2), max(1, camera.height // 2))  # projected pixels leave no gaps
    parts = []
    for i in range(len(views)):
        one = SourceViews(
            views.features[i : i + 1], views.classes[i : i + 1], views.K[i : i + 1],
            views.T_camera_world[i : i + 1], views.size, views.depth[i : i + 1],
        )  # fmt: skip
        parts.append(project_depth(one, small, T_camera_world))
    depth = torch.stack(parts)
    middle = torch.where(depth > 0, depth, torch.nan).nanmedian(dim=0).values
    size = camera.height, camera.width
    return enlarged_depth(torch.nan_to_num(middle), size)


def on_surface(views: SourceViews, rays: Rays, depth: Tensor) -> Tensor:
    """Depth [R] moved along the rays onto the surface of the source that agrees best with it; 0 where none agrees.

    It is also 0 where more sources see past the point than have a surface there: half a pixel beside an edge, or a
    wrong depth of one source. depth [R] metres along z, 0 = unknown.
    """
    assert views.depth is not None
    value, confirmed = depth.clone(), depth > 0
    for _ in range(_STEPS + 1 if len(depth) else 0):
        points = rays.at((value * rays.scale)[:, None])
        projection = project_points(points, views)
        pixels = (projection.pixels + 0.5) * (views.depth.shape[2] / views.size[0]) - 0.5
        measured = sample_smooth_depth(views.depth, pixels)
        residual = torch.where((measured > 0) & projection.inside, measured - projection.z, -torch.inf)
        reach = _TOLERANCE * projection.z
        confirms, passes = (residual.abs() < reach).sum(dim=1), (residual > 2 * reach).sum(dim=1)
        best = residual.abs().argmin(dim=1, keepdim=True)
        confirmed = (depth > 0) & (confirms > 0) & (confirms >= passes)
        value = torch.where(confirmed, value + residual.gather(1, best)[:, 0], value)
    return torch.where(confirmed, value, 0.0)


def sample_smooth_depth(depth: Tensor, pixels: Tensor) -> Tensor:
    """Depth [N, V] of maps [V, H, W] at pixels [N, V, 2] of the same size: bilinear on a surface, nearest at edges."""
    nearest = sample_depth(depth, pixels)
    low = pixels.floor()
    share = pixels - low
    parts = []
    for dv in (0, 1):
        for du in (0, 1):
            corner = low + torch.tensor([du, dv], device=depth.device)
            weight = (share[..., 0] if du else 1 - share[..., 0]) * (share[..., 1] if dv else 1 - share[..., 1])
            value = sample_depth(depth, corner)
            near = (value > 0) & ((value - nearest).abs() < 0.05 * nearest)
            parts.append((weight * near, weight * near * value))
    weight, total = (torch.stack(column).sum(dim=0) for column in zip(*parts, strict=True))
    return torch.where(weight > 0.1, total / weight.clamp(min=1e-6), nearest)


def _unprojected(depth: Tensor, K: Tensor, size: tuple[int, int]) -> Tensor:
    """Points [P, 3] in the camera's frame of the valid pixels of depth [h, w] of an image of `size`."""
    v, u = depth.nonzero().T
    z = depth[v, u]
    height, width = depth.shape
    x = (u + 0.5) * (size[0] / width) - 0.5
    y = (v + 0.5) * (size[1] / height) - 0.5
    return torch.stack([(x - K[0, 2]) / K[0, 0] * z, (y - K[1, 2]) / K[1, 1] * z, z], dim=1)
