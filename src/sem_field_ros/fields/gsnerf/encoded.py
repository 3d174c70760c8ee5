"""Encoded source views: what is computed once per keyframe, and what the renderers read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from sem_field_ros.fields.common.over_views import mean_correlation
from sem_field_ros.fields.common.views import Projection, SourceViews, project_points, sample_depth

_RESIDUAL = 0.05  # of the depth: residuals of source depth are measured in this

CUES = 7  # channels of Observations.cues


@dataclass(frozen=True)
class EncodedViews:
    """V source views in one world frame (any; the renderers use the target camera's).

    views    features F_2D, classes (class probabilities, or logits of the semantic decoder), cameras, depth [V, H, W]
             that masks and target depth come from
    images   [V, 3, H, W] RGB 0..1      patches  [V, P, H/2, W/2] normalised patches
    volume   [V, C, D, h, w] volume features F_3D, planes of equal ratios from near to far; zeros of size 1 without
    known    [V] whether a view's depth is measured (sensor, map) instead of predicted
    """

    views: SourceViews
    images: Tensor
    patches: Tensor
    volume: Tensor
    known: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def chosen(self, index: Tensor) -> EncodedViews:
        """Some of the views."""
        views = self.views
        assert views.depth is not None
        some = SourceViews(
            views.features[index], views.classes[index], views.K[index], views.T_camera_world[index], views.size,
            views.depth[index],
        )  # fmt: skip
        return EncodedViews(some, self.images[index], self.patches[index], self.volume[index], self.known[index])


@dataclass(frozen=True)
class Observations:
    """V views at N points; zeros where a view does not see a point.

    colors [V, 3, N]     features [V, D, N]     agreement [V, N] correlation of a view's patch with the others'
    cues [V, 7, N]  of the viewing ray (difference of the unit directions, degrees between them, log of the distance),
                    residual of the source's depth, and whether it has one
    seen [V, N] bool: in the image, and not behind the source's depth
    """

    colors: Tensor
    features: Tensor
    agreement: Tensor
    cues: Tensor
    seen: Tensor

    @property
    def degrees(self) -> Tensor:
        """Angle [V, N] at a point between the source's ray and the target's, degrees."""
        return self.cues[:, 3] * 10


def at_pixels(maps: Tensor, projection: Projection, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Maps [V, D, h, w] at projected points, [V, D, N]; outside the image its border."""
    scale = projection.pixels.new_tensor([2.0 / size[0], 2.0 / size[1]])
    grid = ((projection.pixels + 0.5) * scale - 1).transpose(0, 1)[:, None]
    sampled = grid_sample(maps, grid.to(maps.dtype).clamp(-2, 2), mode, "border", align_corners=False)
    return sampled[:, :, 0]


def depth_residual(views: SourceViews, projection: Projection) -> tuple[Tensor, Tensor]:
    """How far points lie behind the views' depth, in shares of their z [V, N]; and whether there is a depth."""
    assert views.depth is not None
    scale = views.depth.shape[2] / views.size[0]
    depth = sample_depth(views.depth, (projection.pixels + 0.5) * scale - 0.5)
    known = (depth > 0) & projection.inside
    residual = (projection.z - depth) / projection.z.clamp(min=0.1)
    return (residual * known).T, known.T


def visible(residual: Tensor, known: Tensor, inside: Tensor, tolerance: Tensor) -> Tensor:
    """The masks m of Eq. 11 and 12 [V, N]: in the image, and not behind the source depth by more than `tolerance` [V].

    Without a depth there, a view is taken to see the point.
    """
    return inside & (~known | (residual < tolerance[:, None]))


def observe(
    encoded: EncodedViews, points: Tensor, origin: Tensor, tolerance: Tensor, masks: bool = True
) -> Observations:
    """Everything the volume renderer reads at points [N, 3], for rays from `origin` [3] (or [N, 3])."""
    views = encoded.views
    projection = project_points(points, views)
    residual, known = depth_residual(views, projection)
    inside = projection.inside.T
    seen = visible(residual, known, inside, tolerance) if masks else inside
    mask = seen[:, None].to(points)
    cues = torch.cat(
        [
            ray_cues(points, origin, views.origins),
            (residual / _RESIDUAL).clamp(-1, 1)[:, None],
            known[:, None].to(points),
        ],
        dim=1,
    )
    patches = at_pixels(encoded.patches, projection, views.size) * mask
    return Observations(
        at_pixels(encoded.images, projection, views.size) * mask,
        at_pixels(views.features, projection, views.size) * mask,
        mean_correlation(patches, seen),
        cues * mask,
        seen.contiguous(),
    )


def ray_cues(points: Tensor, origin: Tensor, origins: Tensor) -> Tensor:
    """[V, 5, N]: source minus target unit direction, angle between them in tens of degrees, log ratio of distances."""
    target = points - origin
    near = target.norm(dim=-1).clamp(min=1e-3)
    offset = points - origins[:, None]
    far = offset.norm(dim=-1).clamp(min=1e-3)
    difference = offset / far[..., None] - (target / near[:, None])[None]
    angle = 2 * torch.rad2deg(torch.arcsin((0.5 * difference.norm(dim=-1)).clamp(max=1)))
    log_ratio = (far / near).log()
    return torch.cat([difference.transpose(1, 2), angle[:, None] / 10, log_ratio[:, None]], dim=1)


def volume_features(encoded: EncodedViews, points: Tensor, near_m: float, far_m: float, seen: Tensor) -> Tensor:
    """Volume features [V, C, N] at points [N, 3]; zeros where not `seen` [V, N] or where a view has no volume."""
    volume = encoded.volume
    if volume.shape[2] == 1:
        return volume.new_zeros(len(volume), volume.shape[1], len(points))
    projection = project_points(points, encoded.views)
    scale = points.new_tensor([2.0 / encoded.views.size[0], 2.0 / encoded.views.size[1]])
    grid = (projection.pixels + 0.5) * scale - 1
    planes = volume.shape[2]
    place = (projection.z.clamp(min=1e-3) / near_m).log() / torch.tensor(far_m / near_m).log()  # 0..1 at the planes
    depth = (place * (planes - 1) + 0.5) / planes * 2 - 1
    where = torch.cat([grid, depth[..., None]], dim=-1).transpose(0, 1)[:, None, None].clamp(-2, 2)
    sampled = grid_sample(volume, where.to(volume.dtype), padding_mode="border", align_corners=False)[:, :, 0, 0]
    return sampled * seen[:, None]
