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
from sem_field_ros.fields.common.tensors import (
    FieldSamples,
    FieldView,
    RenderedRays,
    SourceImages,
    common_center,
    rendered,
    view_of_rays,
)
from sem_field_ros.fields.common.views import Projection, SourceViews, project_points, sample_maps
from sem_field_ros.fields.common.visibility import visible_by_sdf
from sem_field_ros.fields.common.window import volume_center
from sem_field_ros.fields.gnesf.config import GnesfConfig
from sem_field_ros.fields.gnesf.feature_net import FeatureNet
from sem_field_ros.fields.gnesf.scene import GnesfScene
from sem_field_ros.fields.gnesf.volume import (
    CONTEXT_CHANNELS,
    GeometryHead,
    Volume,
    VolumeNet,
    cell_context,
    feature_volume,
)
from sem_field_ros.fields.gnesf.voting import SoftVoting, VotingConfig, masked_moments, masked_softmax
from sem_field_ros.geometry.camera import Intrinsics

_MIN_WEIGHT = 1e-3  # samples of less weight get no classes
_FLOOR = 1 / 510  # of a probability whose logarithm votes: half a step of the 8 bits that views are kept in
_MANY_RAYS = 4096  # at once
_COLORS = 3


class Gnesf(nn.Module):
    """See the module. IbrnetField (fields/ibrnet) adds sampling of the views along rays."""

    def __init__(self, config: GnesfConfig) -> None:
        super().__init__()
        self.config = config
        d, m = config.features, config.volume.channels[0]
        self.image_net = FeatureNet(d, config.image_channels)
        extra = CONTEXT_CHANNELS if config.context else 0
        self.volume_net = VolumeNet(2 * d + extra, config.volume.channels)
        self.geometry = GeometryHead(m, config.representation, config.volume.truncation_m)
        self.voting = SoftVoting(VotingConfig(d, cues=3, context=m, base=config.base, head=config.head))
        self._add_color_head()
        if config.semantics == "direct":
            self.direct = nn.Sequential(nn.Linear(2 * d + m, 64), nn.ELU(), nn.Linear(64, config.classes))

    def _add_color_head(self) -> None:
        """Colours are voted for like classes, as the paper does."""
        c = self.config
        voting = VotingConfig(c.features, cues=3, context=c.volume.channels[0], base=c.base, head=c.head)
        self.coloring = SoftVoting(voting)

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
        """Encode a window. `center` [3] of the volume, world metres (default: in front of the views)."""
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
        """The same with given features of the images [V, 3, H, W]: those of a keyframe are computed once."""
        config = self.config.volume
        half = 0.5 * config.cells * config.cell_m
        corner = (common_center(views, half) if center is None else center) - half
        statistics, seen = feature_volume(views, corner, config)
        if self.config.context:
            colors = feature_volume(replace(views, features=images), corner, config)[0]
            statistics = torch.cat([statistics, cell_context(colors, seen, len(views))])
        values = self.volume_net(statistics[None])[0]
        return GnesfScene(views, images, Volume(values, corner, config.cell_m), seen)

    def encode_window(self, observations: SourceImages) -> GnesfScene:
        """Encode a window in its own frame: the volume lies before the reference camera (window.py)."""
        volume = self.config.volume
        center = volume_center(volume.cells * volume.cell_m)
        return self.encode(observations, center.to(observations.images.device))

    # -- answer -----------------------------------------------------------------------------------------------------

    def query(self, scene: GnesfScene, points: Tensor) -> FieldSamples:
        """Signed distance or density, classes and confidence at world points [N, 3]; nothing outside the volume."""
        encoded, inside = scene.volume.sample(points)
        value = self._geometry_at(scene, points, encoded, inside)
        classes, weights = self._classes_at(scene, points, encoded, *self._seen(scene, points, inside))
        support = 1 - 0.5 ** (weights > 0).sum(dim=1)
        confidence = classes.amax(dim=1) * support
        if self.config.representation == "sdf":
            return FieldSamples(classes, confidence, sdf=torch.where(inside, value, torch.nan))
        return FieldSamples(classes, confidence, density=value)

    def sdf(self, scene: GnesfScene, points: Tensor) -> Tensor:
        """Signed distance [N] metres at world points [N, 3]; NaN outside the volume or where no view looks."""
        encoded, inside = scene.volume.sample(points)
        value = self._geometry_at(scene, points, encoded, inside)
        return torch.where(inside & (self._views_at(scene, points) > 0), value, torch.nan)

    def render(self, scene: GnesfScene, camera: Intrinsics, T_world_camera: Tensor, chunk: int = 0) -> FieldView:
        """RGB, depth, classes and confidence of a camera's pixels, `chunk` rays at once (0: a fast number)."""
        rays = camera_rays(camera, T_world_camera)
        parts = [self.render_rays(scene, part) for part in rays.split(chunk or _MANY_RAYS)]
        return view_of_rays(parts, rays, (camera.height, camera.width))

    def render_rays(self, scene: GnesfScene, rays: Rays, generator: torch.Generator | None = None) -> RenderedRays:
        """Volume rendering (Eq. 5); samples at random places of their parts with a generator (training)."""
        config = self.config
        depth = self._depths(rays, generator)
        points = rays.at(depth)
        encoded, inside = scene.volume.sample(points)
        value = self._geometry_at(scene, points, encoded, inside).reshape(depth.shape)
        if config.representation == "sdf":
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
        sdf = value if config.representation == "sdf" else None
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

    # -- parts ------------------------------------------------------------------------------------------------------

    def _geometry_at(self, scene: GnesfScene, points: Tensor, encoded: Tensor, inside: Tensor) -> Tensor:
        """The head's value; outside the volume free space (the largest distance, no density)."""
        free = self.config.volume.truncation_m if self.config.representation == "sdf" else 0.0
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
        if self.config.visibility and self.config.representation == "sdf" and len(points):
            seen = seen & self._visible(scene, points, projection)
        return projection, seen

    def _visible(self, scene: GnesfScene, points: Tensor, projection: Projection) -> Tensor:
        step = self.config.volume.truncation_m
        return visible_by_sdf(lambda p: self.sdf(scene, p), scene.views.origins, points, step)
