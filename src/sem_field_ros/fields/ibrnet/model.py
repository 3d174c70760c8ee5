"""Image-based rendering: density and colour from the source views, sampled at every point of a ray (IBRNet).

A GNeSF of density with a coarse encoding volume; the views are sampled again at every point of a ray (ray_density.py,
after Wang et al., "IBRNet: Learning Multi-View Image-Based Rendering", 2021). Classes are voted for as in GNeSF.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sem_field_ros.fields.common.rays import Rays, camera_rays
from sem_field_ros.fields.common.rendering import density_weights
from sem_field_ros.fields.common.tensors import FieldSamples, FieldView, RenderedRays, rendered, view_of_rays
from sem_field_ros.fields.common.views import Projection, SourceViews, project_points
from sem_field_ros.fields.gnesf.model import Gnesf
from sem_field_ros.fields.gnesf.scene import GnesfScene
from sem_field_ros.fields.ibrnet.config import IbrnetConfig
from sem_field_ros.fields.ibrnet.ray_density import (
    Blending,
    RayDensity,
    ViewObservations,
    ViewPooling,
    observe,
    patches_of,
    view_cues,
)
from sem_field_ros.geometry.camera import Intrinsics

_MIN_WEIGHT = 1e-3
_MIN_SHADED = 1e-2  # samples of less weight get no classes and colours; the others take their weight over
_FEW_RAYS = 512  # rays at once: their samples in all views should fit a processor's cache
_COLORS = 3


class IbrnetField(Gnesf):
    """See the module."""

    config: IbrnetConfig

    def _add_color_head(self) -> None:
        """Density along the rays, and blending of the views' colours."""
        rays = self.config.rays
        self.pooling = ViewPooling(self.config.features, rays.hidden)
        self.ray_density = RayDensity(self.config.volume.channels[0], rays)
        self.blending = Blending(rays.hidden)

    def encode_views(self, views: SourceViews, images: Tensor, center: Tensor | None = None) -> GnesfScene:
        """As Gnesf, and the images' normalised patches."""
        scene = super().encode_views(views, images, center)
        return replace(scene, patches=patches_of(images, self.config.rays))

    # -- answer -----------------------------------------------------------------------------------------------------

    def query(self, scene: GnesfScene, points: Tensor) -> FieldSamples:
        """Density, classes and confidence at world points [N, 3], of the same density that `render` uses.

        Density is defined at a ray's samples: for each point on the ray from the first view's camera through it, and
        interpolated (in the logarithm) between the samples before and behind.
        """
        origin = scene.views.origins[0]
        offset = points - origin
        distance = offset.norm(dim=1).clamp(min=1e-6)
        rays = Rays(origin.expand_as(points), offset / distance[:, None], torch.ones_like(distance))
        parts = [self._density_at(scene, rays[i], distance[i]) for i in _places(len(points), points).split(_FEW_RAYS)]
        encoded, inside = scene.volume.sample(points)
        projection = project_points(points, scene.views)
        classes, weights = self._classes_at(scene, points, encoded * inside[:, None], projection, projection.inside)
        support = 1 - 0.5 ** (weights > 0).sum(dim=1)
        density = torch.cat(parts) if parts else points.new_zeros(0)
        return FieldSamples(classes, classes.amax(dim=1) * support, density=density)

    def _density_at(self, scene: GnesfScene, rays: Rays, distance: Tensor) -> Tensor:
        """Density [R] at one distance [R] along each ray; 0 outside the sampled range."""
        depth = self._depths(rays)
        log = self._ray_density(scene, rays, depth)[0].clamp(min=1e-9).log()
        behind = torch.searchsorted(depth.contiguous(), distance[:, None]).clamp(1, depth.shape[1] - 1)
        a, b = depth.gather(1, behind - 1)[:, 0], depth.gather(1, behind)[:, 0]
        share = ((distance - a) / (b - a)).clamp(0, 1)[:, None]
        value = (log.gather(1, behind - 1) * (1 - share) + log.gather(1, behind) * share).exp()[:, 0]
        sampled = (distance >= self.config.near_m) & (distance <= self.config.far_m)
        return torch.where(sampled & (value > 2e-9), value, 0.0)

    def render(self, scene: GnesfScene, camera: Intrinsics, T_world_camera: Tensor, chunk: int = 0) -> FieldView:
        """As Gnesf; weights are computed for every stride-th pixel and interpolated."""
        if self.config.rays.stride <= 1:
            return super().render(scene, camera, T_world_camera, chunk or _FEW_RAYS)
        rays = camera_rays(camera, T_world_camera)
        weights = self._coarse_weights(scene, camera, T_world_camera, chunk or _FEW_RAYS)
        places = _places(len(rays), rays.origins).split(chunk or _FEW_RAYS)
        parts = [self._shade(scene, rays[i], self._depths(rays[i]), weights[i]) for i in places]
        return view_of_rays(parts, rays, (camera.height, camera.width))

    def render_rays(self, scene: GnesfScene, rays: Rays, generator: torch.Generator | None = None) -> RenderedRays:
        """As Gnesf, with `volume_weights`."""
        depth = self._depths(rays, generator)
        weights, volume_weights = self._ray_weights(scene, rays, depth)
        return replace(self._shade(scene, rays, depth, weights), volume_weights=volume_weights)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _ray_weights(self, scene: GnesfScene, rays: Rays, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Weights [R, M] of the samples (Eq. 7), and those of the volume's density alone."""
        density, from_volume = self._ray_density(scene, rays, depth)
        spacing = self._spacing(depth)
        return density_weights(density, spacing), density_weights(from_volume, spacing)

    def _ray_density(self, scene: GnesfScene, rays: Rays, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Density [R, M] 1/m at the samples, and the volume's alone."""
        points, spacing = rays.at(depth), self._spacing(depth)
        encoded, inside = scene.volume.sample(points)
        observed = self._observe(scene, project_points(points, scene.views))
        from_volume = self._geometry_at(scene, points, encoded, inside).reshape(depth.shape)
        log = (from_volume * spacing).clamp(min=1e-4).log().reshape(1, -1)
        volume = torch.cat([(encoded * inside[:, None]).T, inside[None], log])
        density = self.ray_density(self.pooling(observed), volume, spacing)
        return density * observed.seen.any(dim=0).reshape(depth.shape), from_volume  # none if no view sees it

    def _coarse_weights(self, scene: GnesfScene, camera: Intrinsics, T_world_camera: Tensor, chunk: int) -> Tensor:
        """Weights [h * w, M] of a camera's rays from those of fewer rays: depth is smoother than colour."""
        stride = self.config.rays.stride
        small = camera.scaled(math.ceil(camera.width / stride), math.ceil(camera.height / stride))
        rays = camera_rays(small, T_world_camera)
        parts = [self._ray_weights(scene, part, self._depths(part))[0] for part in rays.split(chunk)]
        image = torch.cat(parts).T.reshape(1, -1, small.height, small.width)
        size = camera.height, camera.width
        return interpolate(image, size, mode="bilinear", align_corners=False)[0].flatten(1).T

    def _shade(self, scene: GnesfScene, rays: Rays, depth: Tensor, weights: Tensor) -> RenderedRays:
        """Classes by soft voting, colours by blending, of the samples that have weight."""
        points, used = rays.at(depth), (weights > _MIN_SHADED).flatten()
        classes = points.new_zeros(len(points), self.config.classes)
        colors = points.new_zeros(len(points), _COLORS)
        near = points[used]
        encoded, inside = scene.volume.sample(near)
        projection = project_points(near, scene.views)
        observed = self._observe(scene, projection)
        classes[used], _ = self._classes_at(scene, near, encoded * inside[:, None], projection, projection.inside)
        directions = rays.directions[:, None].expand(-1, depth.shape[1], -1).reshape(-1, 3)[used]
        cues = view_cues(near, directions, scene.views.origins)
        share = self.blending(self.pooling(observed).per_view, cues, observed.agreement, observed.seen)
        colors[used] = (share[:, None] * observed.colors).sum(dim=0).T
        kept = _only(weights, used, projection.inside.any(dim=1))
        return rendered(kept, depth, classes, colors, scene.images)

    def _observe(self, scene: GnesfScene, projection: Projection) -> ViewObservations:
        assert scene.patches is not None
        views = scene.views if self.config.rays.depth else replace(scene.views, depth=None)
        return observe(views, scene.images, scene.patches, projection)


def _places(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, device=like.device)


def _only(weights: Tensor, used: Tensor, seen: Tensor) -> Tensor:
    """Weights [R, M] of the used samples (`used` [R * M]) that are `seen`, a mask of these; zero elsewhere.

    The sum of a ray is kept, so that omitted samples do not darken it.
    """
    mask = torch.zeros_like(used)
    mask[used] = seen
    kept = weights * mask.reshape(weights.shape)
    return kept * (weights.sum(dim=1, keepdim=True) / kept.sum(dim=1, keepdim=True).clamp(min=_MIN_WEIGHT))
