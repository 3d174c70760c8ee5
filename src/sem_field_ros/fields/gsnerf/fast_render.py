"""A whole image, fast: depth is refined on every stride-th pixel, colours and classes are taken at every pixel's depth.

Gsnerf.render_rays is the readable twin, which blends colours of all samples at every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sem_field_ros.fields.common.over_views import softmax_over_views
from sem_field_ros.fields.common.rays import Rays, camera_rays
from sem_field_ros.fields.common.tensors import FieldView
from sem_field_ros.fields.common.views import project_points
from sem_field_ros.fields.gsnerf.encoded import EncodedViews, at_pixels, depth_residual, ray_cues, visible
from sem_field_ros.fields.gsnerf.model import Gsnerf, surface_depth, tolerance
from sem_field_ros.fields.gsnerf.rendered_images import inpaint, smooth_classes
from sem_field_ros.fields.gsnerf.volume_renderer import BLEND_DEG, share_prior
from sem_field_ros.geometry.camera import Intrinsics

_SMOOTHED_PIXELS = 18  # largest distance of pixels that are smoothed together
_OTHER_COLOR = 0.12  # distance at which a view's colour differs from the others': occlusions, reflections
_CHUNK = 2048  # rays at once: their samples in all views should fit a processor's cache


@dataclass(frozen=True)
class Refined:
    """Of a coarse grid of pixels [h, w]: log of the depth over the target depth [h, w] (0 where that is invalid),
    found depth [h, w], which pixels around it without a target depth take; residual log shares [V, h, w]."""

    log_ratio: Tensor
    found: Tensor
    shares: Tensor


def render_view(
    model: Gsnerf, colors: EncodedViews, labels: EncodedViews, camera: Intrinsics, target: Tensor, known: bool
) -> FieldView:
    """The view of a camera at the origin of the sources' world frame.

    colors, labels  the source views of colours and of classes      target  [h, w] metres along z, 0 = invalid
    """
    rays = camera_rays(camera, torch.eye(4, device=target.device))
    if model.config.stride <= 1 or model.config.sampling == "uniform" or model.config.labels_at == "ray":
        return render_all_samples(model, colors, rays, target, known)
    refined = refine(model, colors, rays, target, known)
    size = camera.height, camera.width
    ratio = _enlarged(refined.log_ratio[None], size)[0].exp()
    depth = torch.where(target > 0, target * ratio, _nearest(refined.found[None], size)[0])
    residual = _enlarged(refined.shares, size).flatten(1)
    parts = [
        blended(colors, rays[i], depth.flatten()[i], residual[:, i])
        for i in torch.arange(len(rays), device=target.device).split(4 * _CHUNK)
    ]
    rgb, weight = (torch.cat(column) for column in zip(*parts, strict=True))
    depth = depth * (weight > 0).reshape(size)
    classes = classes_of(model, labels, rays, depth)
    shown = (depth > 0).reshape(size)
    confidence = classes.amax(dim=2) * (1 - 0.5 ** weight.reshape(size))
    return FieldView(inpaint(rgb.reshape(*size, 3), shown), depth, classes * shown[..., None], confidence * shown)


def render_all_samples(model: Gsnerf, encoded: EncodedViews, rays: Rays, target: Tensor, known: bool) -> FieldView:
    """The same with all samples at every pixel, slow: for the paper's size and its ablation."""
    size = target.shape[0], target.shape[1]
    chunk = max(16, 4 * _CHUNK // model.config.samples)
    parts = [
        model.render_rays(encoded, rays[i], target.flatten()[i], known)
        for i in torch.arange(len(rays), device=target.device).split(chunk)
    ]
    rgb, classes = torch.cat([p.rgb for p in parts]), torch.cat([p.classes for p in parts])
    depth = torch.cat([p.depth for p in parts]).reshape(size)
    shown = depth > 0
    classes = classes.reshape(*size, -1) * shown[..., None]
    return FieldView(inpaint(rgb.reshape(*size, 3), shown), depth, classes, classes.amax(dim=2))


def refine(model: Gsnerf, encoded: EncodedViews, rays: Rays, target: Tensor, known: bool) -> Refined:
    """Run the volume renderer on a coarse grid of an image's rays."""
    stride = model.config.stride
    height, width = target.shape
    rows, columns, index = _grid(height, width, stride, target.device)
    depth = target.flatten()[index]
    ratio, found = torch.zeros_like(depth), torch.zeros_like(depth)
    shares = depth.new_zeros(len(encoded), len(depth))
    for guided, count in ((True, model.config.samples), (False, model.config.uniform)):
        some = ((depth > 0) == guided).nonzero()[:, 0]
        for part in some.split(max(64, _CHUNK * model.config.samples // count)) if len(some) else ():
            near = depth[part]
            samples, offset = model.samples(rays[index[part]], near, known, count=count)
            seen, shaded = model.shade(encoded, rays[index[part]], samples, offset)
            weights = model.weights(shaded)
            surface = surface_depth(samples, weights)
            found[part] = surface
            if guided:
                ratio[part] = torch.where(surface > 0, (surface / near).clamp(0.5, 2).log(), 0.0)
            best = weights.argmax(dim=1) + torch.arange(len(part), device=part.device) * samples.shape[1]
            shares[:, part] = (shaded.log_share - share_prior(seen))[:, best]
    shape = len(rows), len(columns)
    return Refined(ratio.reshape(shape), found.reshape(shape), shares.reshape(-1, *shape))


def blended(encoded: EncodedViews, rays: Rays, depth: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Colours [R, 3] at depth [R] along z, and the number of views that see the point there [R]; 0 where none does.

    residual [V, R] is added to the hand-made log shares
    """
    views = encoded.views
    points = rays.at((depth * rays.scale)[:, None])
    projection = project_points(points, views)
    behind, has_depth = depth_residual(views, projection)
    seen = visible(behind, has_depth, projection.inside.T & (depth > 0), tolerance(encoded))
    cues = ray_cues(points, rays.origins[0], views.origins)
    log_share = -cues[:, 3] * 10 / BLEND_DEG - cues[:, 4].clamp(min=0) + residual
    values = at_pixels(encoded.images, projection, views.size, "bicubic")
    mean = torch.einsum("vn,vcn->cn", softmax_over_views(log_share, seen), values)
    log_share = log_share - (values - mean).square().sum(dim=1) / (2 * _OTHER_COLOR**2)
    return torch.einsum("vn,vcn->nc", softmax_over_views(log_share, seen), values), seen.sum(dim=0).to(depth)


def classes_of(model: Gsnerf, encoded: EncodedViews, rays: Rays, depth: Tensor) -> Tensor:
    """Class probabilities [h, w, C] of an image's rays with depth [h, w], computed on a coarse grid; 0 in holes."""
    config = model.config
    rows, columns, index = _grid(depth.shape[0], depth.shape[1], config.label_stride, depth.device)
    found = depth.flatten()[index]
    parts = [
        model.surface_classes(encoded, rays[index[i]], found[i])
        for i in torch.arange(len(index), device=depth.device).split(4 * _CHUNK)
    ]
    classes = torch.cat(parts).reshape(len(rows), len(columns), -1)
    if config.smoothing_m > 0:
        points = rays[index].at((found * rays.scale[index])[:, None])
        points = torch.where(found[:, None] > 0, points, torch.nan).reshape(len(rows), len(columns), 3)
        classes = smooth_classes(classes, points, config.smoothing_m, _SMOOTHED_PIXELS // config.label_stride)
    return _enlarged(classes.permute(2, 0, 1), (depth.shape[0], depth.shape[1])).permute(1, 2, 0)


def _grid(height: int, width: int, stride: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Rows and columns of every stride-th pixel of an image, and the indices of these pixels."""
    rows = torch.arange(min(stride // 2, height - 1), height, stride, device=device)
    columns = torch.arange(min(stride // 2, width - 1), width, stride, device=device)
    return rows, columns, (rows[:, None] * width + columns).flatten()


def _enlarged(values: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(values[None], size, mode="bilinear", align_corners=False)[0]


def _nearest(values: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(values[None], size, mode="nearest-exact")[0]
