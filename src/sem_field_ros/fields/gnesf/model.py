"""GNeSF, the field: posed images and their 2-D labels in; signed distance (or density), classes and colour out.

encode() builds the geometry encoding volume of a window of views, query() answers at points, render() along the rays of
a camera. The equations are those of Chen et al., "GNeSF: Generalizable Neural Semantic Fields" (NeurIPS 2023).
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from sem_field_ros.fields.common.rays import Rays, camera_rays
from sem_field_ros.fields.common.rendering import density_weights, sample_along_rays, sdf_weights
from sem_field_ros.fields.common.views import Projection, SourceViews, project_points, sample_maps
from sem_field_ros.fields.common.visibility import visible_by_sdf
from sem_field_ros.fields.field import FieldSamples, FieldView
from sem_field_ros.fields.gnesf.config import GnesfConfig
from sem_field_ros.fields.gnesf.feature_net import FeatureNet
from sem_field_ros.fields.gnesf.scene import GnesfScene, RenderedRays, SourceImages, common_center, rendered
from sem_field_ros.fields.gnesf.volume import (
    CONTEXT_CHANNELS,
    GeometryHead,
    Volume,
    VolumeNet,
    cell_context,
    feature_volume,
)
from sem_field_ros.fields.gnesf.voting import SoftVoting, VotingConfig, masked_moments, masked_softmax
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

KIND = "gnesf_field"  # of weights files
_MIN_WEIGHT = 1e-3  # samples of less weight are not asked for their classes
_FLOOR = 1 / 510  # of a probability whose logarithm votes: half a step of the 8 bits that views are kept in
_MIN_SHADED = 1e-2  # the same where the others take their weight over
_FEW_RAYS, _MANY_RAYS = 512, 4096  # at once: views asked at every sample should fit a processor's cache
_COLORS = 3


class Gnesf(nn.Module):
    """See the module; a SemanticField."""

    def __init__(self, config: GnesfConfig) -> None:
        super().__init__()
        self.config = config
        d, m = config.features, config.volume.channels[0]
        self.image_net = FeatureNet(d, config.image_channels)
        extra = CONTEXT_CHANNELS if config.context else 0
        self.volume_net = VolumeNet(2 * d + extra, config.volume.channels)
        self.geometry = GeometryHead(m, config.geometry, config.volume.truncation_m)
        self.voting = SoftVoting(VotingConfig(d, cues=3, context=m, base=config.base, head=config.head))
        if config.rays:
            self.pooling = ViewPooling(d, config.rays.hidden)
            self.ray_density = RayDensity(m, config.rays)
            self.blending = Blending(config.rays.hidden)
        else:
            self.coloring = SoftVoting(VotingConfig(d, cues=3, context=m, base=config.base, head=config.head))
        if config.semantics == "direct":
            self.direct = nn.Sequential(nn.Linear(2 * d + m, 64), nn.ELU(), nn.Linear(64, config.classes))

    def forward(
        self, observations: SourceImages, center: Tensor | None, points: Tensor, rays: Rays
    ) -> tuple[Tensor, RenderedRays]:
        """For training: the geometry head's value at points [P, 3] and the rendered rays, of one window."""
        scene = self.encode(observations, center)
        encoded, inside = scene.volume.sample(points)
        random = torch.Generator(points.device).manual_seed(int(torch.randint(2**31, (1,))))
        return self._geometry_at(scene, points, encoded, inside), self.render_rays(scene, rays, random)

    # -- encode -----------------------------------------------------------------------------------------------------

    def encode(self, observations: SourceImages, center: Tensor | None = None) -> GnesfScene:
        """Encode a window. `center` [3] of the volume, world metres (default: what the views look at together)."""
        images = observations.images
        views = SourceViews(
            self.image_net(images),
            observations.classes,
            observations.K,
            observations.T_camera_world,
            (images.shape[3], images.shape[2]),
            observations.depth,
        )
        return self.encode_views(views, images, center)

    def encode_views(self, views: SourceViews, images: Tensor, center: Tensor | None = None) -> GnesfScene:
        """The same with the features of the images [V, 3, H, W] at hand: a keyframe's are computed once."""
        config = self.config.volume
        half = 0.5 * config.cells * config.cell_m
        corner = (common_center(views, half) if center is None else center) - half
        statistics, seen = feature_volume(views, corner, config)
        if self.config.context:
            colors = feature_volume(replace(views, features=images), corner, config)[0]
            statistics = torch.cat([statistics, cell_context(colors, seen, len(views))])
        values = self.volume_net(statistics[None])[0]
        patches = patches_of(images, self.config.rays) if self.config.rays else None
        return GnesfScene(views, images, Volume(values, corner, config.cell_m), seen, patches)

    # -- answer -----------------------------------------------------------------------------------------------------

    def query(self, scene: GnesfScene, points: Tensor) -> FieldSamples:
        """Signed distance or density, classes and confidence at world points [N, 3]; nothing outside the volume."""
        encoded, inside = scene.volume.sample(points)
        value = self._geometry_at(scene, points, encoded, inside)
        classes, weights = self._classes_at(scene, points, encoded, *self._seen(scene, points, inside))
        support = 1 - 0.5 ** (weights > 0).sum(dim=1)
        confidence = classes.amax(dim=1) * support
        if self.config.geometry == "sdf":
            return FieldSamples(classes, confidence, sdf=torch.where(inside, value, torch.nan))
        return FieldSamples(classes, confidence, density=value)

    def sdf(self, scene: GnesfScene, points: Tensor) -> Tensor:
        """Signed distance [N] metres at world points [N, 3]; NaN where no view looks or outside the volume."""
        encoded, inside = scene.volume.sample(points)
        value = self._geometry_at(scene, points, encoded, inside)
        return torch.where(inside & (self._views_at(scene, points) > 0), value, torch.nan)

    def render(self, scene: GnesfScene, camera: Intrinsics, T_world_camera: Tensor, chunk: int = 0) -> FieldView:
        """RGB, depth, classes and confidence of a camera's pixels, `chunk` rays at once (0: what is fast)."""
        chunk = chunk or (_FEW_RAYS if self.config.rays else _MANY_RAYS)
        rays = camera_rays(camera, T_world_camera)
        if self.config.rays and self.config.rays.stride > 1:
            weights = self._coarse_weights(scene, camera, T_world_camera, chunk)
            places = torch.arange(len(rays), device=rays.origins.device).split(chunk)
            parts = [self._shade(scene, rays[i], self._depths(rays[i]), weights[i]) for i in places]
        else:
            parts = [self.render_rays(scene, part) for part in rays.split(chunk)]
        shape = camera.height, camera.width
        opacity = torch.cat([p.opacity for p in parts])
        classes = torch.cat([p.classes for p in parts])
        depth = torch.cat([p.depth for p in parts]) / rays.scale
        met = opacity > 0.5
        return FieldView(
            rgb=torch.cat([p.rgb for p in parts]).clamp(0, 1).reshape(*shape, _COLORS),
            depth=torch.where(met, depth, 0).reshape(shape),
            classes=classes.reshape(*shape, -1),
            confidence=(classes.amax(dim=1) * opacity).clamp(0, 1).reshape(shape),
        )

    def render_rays(self, scene: GnesfScene, rays: Rays, generator: torch.Generator | None = None) -> RenderedRays:
        """Volume rendering (Eq. 5); samples at random places of their parts with a generator (training)."""
        config = self.config
        depth = self._depths(rays, generator)
        if config.rays:
            weights, volume_weights = self._ray_weights(scene, rays, depth)
            return replace(self._shade(scene, rays, depth, weights), volume_weights=volume_weights)
        points = rays.at(depth)
        encoded, inside = scene.volume.sample(points)
        value = self._geometry_at(scene, points, encoded, inside).reshape(depth.shape)
        if config.geometry == "sdf":
            weights = sdf_weights(value, depth, config.band * config.volume.truncation_m)
            weights = weights * (value < 0.5 * config.volume.truncation_m).any(dim=1, keepdim=True)  # else it missed
        else:
            weights = density_weights(value, self._spacing(depth))
        used = (weights > _MIN_WEIGHT).flatten() & inside
        classes = points.new_zeros(len(points), config.classes)
        colors = points.new_zeros(len(points), _COLORS)
        sight = self._seen(scene, points[used], inside[used])
        classes[used], _ = self._classes_at(scene, points[used], encoded[used], *sight)
        colors[used] = self._colors_at(scene, points[used], encoded[used], *sight)
        sdf = value if config.geometry == "sdf" else None
        return rendered(weights, depth, classes, colors, scene.images, sdf=sdf)

    def _depths(self, rays: Rays, generator: torch.Generator | None = None) -> Tensor:
        config = self.config
        near = torch.full((len(rays),), config.near_m, device=rays.origins.device, dtype=rays.origins.dtype)
        far = torch.full_like(near, config.far_m)
        return sample_along_rays(near, far, config.samples, generator, log=config.spacing == "log")

    def _spacing(self, depth: Tensor) -> Tensor:
        """Distance between the samples [R, M] metres."""
        near, far, count = self.config.near_m, self.config.far_m, self.config.samples
        if self.config.spacing == "log":
            return depth * (math.log(far / near) / count)
        return torch.full_like(depth, (far - near) / count)

    # -- view synthesis: the views are asked at every sample (ray_density.py) ----------------------------------------

    def _ray_weights(self, scene: GnesfScene, rays: Rays, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Weights [R, M] of the samples (Eq. 7), and what the volume alone would make of them."""
        points, spacing = rays.at(depth), self._spacing(depth)
        encoded, inside = scene.volume.sample(points)
        observed = self._observe(scene, project_points(points, scene.views))
        from_volume = self._geometry_at(scene, points, encoded, inside).reshape(depth.shape)
        log = (from_volume * spacing).clamp(min=1e-4).log().reshape(1, -1)
        volume = torch.cat([(encoded * inside[:, None]).T, inside[None], log])
        density = self.ray_density(self.pooling(observed), volume, spacing)
        density = density * observed.seen.any(dim=0).reshape(depth.shape)  # what no view sees, nobody can draw
        return density_weights(density, spacing), density_weights(from_volume, spacing)

    def _coarse_weights(self, scene: GnesfScene, camera: Intrinsics, T_world_camera: Tensor, chunk: int) -> Tensor:
        """Weights [h * w, M] of a camera's rays from those of fewer rays: depth is smoother than colour."""
        assert self.config.rays
        stride = self.config.rays.stride
        small = camera.scaled(math.ceil(camera.width / stride), math.ceil(camera.height / stride))
        rays = camera_rays(small, T_world_camera)
        parts = [self._ray_weights(scene, part, self._depths(part))[0] for part in rays.split(chunk)]
        image = torch.cat(parts).T.reshape(1, -1, small.height, small.width)
        size = camera.height, camera.width
        return torch.nn.functional.interpolate(image, size, mode="bilinear", align_corners=False)[0].flatten(1).T

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
        assert scene.patches is not None and self.config.rays
        views = scene.views if self.config.rays.depth else replace(scene.views, depth=None)
        return observe(views, scene.images, scene.patches, projection)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _geometry_at(self, scene: GnesfScene, points: Tensor, encoded: Tensor, inside: Tensor) -> Tensor:
        """The head's value; outside the volume free space (the largest distance, no density)."""
        free = self.config.volume.truncation_m if self.config.geometry == "sdf" else 0.0
        return torch.where(inside, self.geometry(encoded), free)

    def _views_at(self, scene: GnesfScene, points: Tensor) -> Tensor:
        """In how many views the points [N, 3] lie, by the volume's cells; 0 outside."""
        cells = torch.tensor(scene.seen.shape, device=points.device)
        index = ((points - scene.volume.corner) / scene.volume.cell_m).floor().long()
        inside = ((index >= 0) & (index < cells)).all(dim=1)
        x, y, z = index.clamp(min=0).minimum(cells - 1).unbind(dim=1)
        return scene.seen[x, y, z] * inside

    def _classes_at(
        self, scene: GnesfScene, points: Tensor, encoded: Tensor, projection: Projection, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Classes [N, C] at points, and the weights [N, V] of the vote."""
        views = scene.views
        features = sample_maps(views.features, projection.pixels, views.size)
        if self.config.semantics == "direct":
            statistics = torch.cat([*masked_moments(features, seen), encoded], dim=-1)
            classes = torch.softmax(self.direct(statistics), dim=-1) * seen.any(dim=1, keepdim=True)
            return classes, seen.to(points.dtype)
        samples = sample_maps(views.classes, projection.pixels, views.size)
        if self.config.semantics == "logits":
            samples = samples.clamp(min=_FLOOR).log()
        voted, weights = self.voting(features, samples, points[:, None] - views.origins, seen, encoded)
        if self.config.semantics == "logits":
            voted = torch.softmax(voted, dim=-1) * seen.any(dim=1, keepdim=True)
        return voted, weights

    def _colors_at(
        self, scene: GnesfScene, points: Tensor, encoded: Tensor, projection: Projection, seen: Tensor
    ) -> Tensor:
        """Colours [N, 3] at points: the views' vote on colour."""
        views = scene.views
        features = sample_maps(views.features, projection.pixels, views.size)
        weights = masked_softmax(self.coloring.scores(features, points[:, None] - views.origins, seen, encoded), seen)
        return torch.einsum("nv,nvc->nc", weights, sample_maps(scene.images, projection.pixels, views.size))

    def _seen(self, scene: GnesfScene, points: Tensor, inside: Tensor) -> tuple[Projection, Tensor]:
        """Points in the views, and which views [N, V] see them."""
        projection = project_points(points, scene.views)
        seen = projection.inside & inside[:, None]
        if self.config.visibility and self.config.geometry == "sdf" and len(points):
            seen = seen & self._visible(scene, points, projection)
        return projection, seen

    def _visible(self, scene: GnesfScene, points: Tensor, projection: Projection) -> Tensor:
        step = self.config.volume.truncation_m
        return visible_by_sdf(lambda p: self.sdf(scene, p), scene.views.origins, points, step)


def _only(weights: Tensor, used: Tensor, seen: Tensor) -> Tensor:
    """Weights [R, M] of the samples that were asked (`used` [R * M]) and are `seen`, a mask of these; zero elsewhere.

    They keep a ray's sum: what is left out must not darken it.
    """
    mask = torch.zeros_like(used)
    mask[used] = seen
    kept = weights * mask.reshape(weights.shape)
    return kept * (weights.sum(dim=1, keepdim=True) / kept.sum(dim=1, keepdim=True).clamp(min=_MIN_WEIGHT))
