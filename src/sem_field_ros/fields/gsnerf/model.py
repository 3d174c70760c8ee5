"""GSNeRF, the field: posed images in; colour, depth, classes and confidence of any view out.

The equations are those of Chou et al., "GSNeRF: Generalizable Semantic Neural Radiance Fields with Enhanced 3D Scene
Understanding" (CVPR 2024). encode_image() and source_depth() run once per keyframe; render_rays() is the readable way
to render, fast_render.py the fast one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sem_field_ros.fields.common.rays import Rays
from sem_field_ros.fields.common.views import project_points
from sem_field_ros.fields.gsnerf.config import GsnerfConfig
from sem_field_ros.fields.gsnerf.encoded import (
    EncodedViews,
    Observations,
    at_pixels,
    depth_residual,
    observe,
    ray_cues,
    visible,
    volume_features,
)
from sem_field_ros.fields.gsnerf.feature_net import FeaturePyramid, SemanticDecoder
from sem_field_ros.fields.gsnerf.sampling import guided_samples, mixed_samples, uniform_samples
from sem_field_ros.fields.gsnerf.semantic_renderer import SemanticRenderer
from sem_field_ros.fields.gsnerf.source_depth import DepthCascade, SourceDepth
from sem_field_ros.fields.gsnerf.volume_renderer import Shaded, VolumeRenderer, blend, weights_of
from sem_field_ros.fields.gsnerf.warping import Neighbours

_RESIDUAL = 0.05  # of the depth: residuals of source depth are measured in this
_TOLERANCE, _TOLERANCE_KNOWN = 0.2, 0.02  # of the masks, as a share of the depth


@dataclass(frozen=True)
class RenderedSamples:
    """R rays with M samples: rgb [R, 3], depth [R] metres along z (0 = no view sees any sample), classes [R, C].

    For the losses: sample_depth (along z) and weights [R, M]
    """

    rgb: Tensor
    depth: Tensor
    classes: Tensor
    sample_depth: Tensor
    weights: Tensor


class Gsnerf(nn.Module):
    """See the module."""

    def __init__(self, config: GsnerfConfig) -> None:
        super().__init__()
        self.config = config
        if config.learned:
            self.pyramid = FeaturePyramid(config.channels)
        self.cascade = DepthCascade(config)
        self.volume_renderer = VolumeRenderer(config)
        self.semantic_renderer = SemanticRenderer(config)
        if config.semantics == "decoder":
            self.decoder = SemanticDecoder(config.channels, config.semantic_hidden, config.classes)

    # -- encode -----------------------------------------------------------------------------------------------------

    def encode_images(self, images: Tensor) -> list[Tensor]:
        """images [B, 3, H, W] RGB 0..1 -> the feature pyramid; its finest map is F_2D. Without networks it is empty."""
        if not self.config.learned:
            height, width = images.shape[2:]
            return [images.new_zeros(len(images), 0, -(-height // r), -(-width // r)) for r in (1, 2, 4)]
        return list(self.pyramid(images))

    def source_depth(self, pyramid: list[Tensor], images: Tensor, views: Neighbours) -> SourceDepth:
        """Depth and volume feature of the first of 1 + N images, with the others as neighbours."""
        found: SourceDepth = self.cascade(pyramid, images, views)
        return found

    def class_maps(self, pyramid: list[Tensor]) -> Tensor:
        """Class probabilities [B, C, H/2, W/2] of the semantic decoder."""
        return torch.softmax(self.decoder(pyramid), dim=1)

    # -- render -----------------------------------------------------------------------------------------------------

    def render_rays(
        self,
        encoded: EncodedViews,
        rays: Rays,
        target: Tensor,
        known: bool,
        generator: torch.Generator | None = None,
        mixed: bool = False,
    ) -> RenderedSamples:
        """Rays from one camera with target depth [R] metres along z, 0 = invalid; `known`: it was measured.

        With a generator samples are random (training); `mixed`: half of them uniform.
        """
        samples, offset = self.samples(rays, target, known, generator, mixed)
        seen, shaded = self.shade(encoded, rays, samples, offset)
        weights = self.weights(shaded)
        colors = blend(seen.colors, shaded.log_share, seen.seen).reshape(*samples.shape, 3)
        depth = surface_depth(samples, weights)
        classes = self.classes_at(encoded, rays, depth)
        return RenderedSamples(torch.einsum("rm,rmc->rc", weights, colors), depth, classes, samples, weights)

    def samples(
        self,
        rays: Rays,
        target: Tensor,
        known: bool,
        generator: torch.Generator | None = None,
        mixed: bool = False,
        count: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Depths [R, M] along z, ascending, and their offsets from the target depth in standard deviations.

        count  of the samples, if not the configuration's
        """
        config = self.config
        count = count or config.samples
        guided = (target > 0)[:, None] & (config.sampling == "guided")
        spread = config.spread_known if known else config.spread
        near, far = config.near_m, config.far_m
        uniform = uniform_samples(len(target), count, near, far, target, generator)
        center = target.clamp(min=near)
        if mixed:
            around = mixed_samples(center, count, spread, near, far, generator)
        else:
            around = guided_samples(center, count, spread, generator)
        samples = torch.where(guided, around, uniform)
        offset = (samples / center[:, None] - 1) / spread
        return samples, torch.where(guided, offset.clamp(-4, 4), 0.0)

    def shade(self, encoded: EncodedViews, rays: Rays, samples: Tensor, offset: Tensor) -> tuple[Observations, Shaded]:
        """Observations of samples [R, M] (depth along z) on rays of one camera, densities and shares."""
        points = rays.at(samples * rays.scale[:, None])
        seen = observe(encoded, points, rays.origins[0], tolerance(encoded), self.config.masks)
        volume = volume_features(encoded, points, self.config.near_m, self.config.far_m, seen.seen)
        shaded: Shaded = self.volume_renderer(seen, volume, offset)
        return seen, shaded

    @staticmethod
    def weights(shaded: Shaded) -> Tensor:
        """Weights [R, M] that sum to 1, or to 0 where no view sees any sample."""
        weights = weights_of(shaded.log_density) * shaded.any_seen
        return weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-6)

    def classes_at(self, encoded: EncodedViews, rays: Rays, depth: Tensor) -> Tensor:
        """Classes [R, C] at the surface (Eq. 12), or, for the ablation, the weighted mean of uniform samples."""
        if self.config.labels_at == "surface":
            return self.surface_classes(encoded, rays, depth)
        samples, offset = self.samples(rays, torch.zeros_like(depth), False, count=self.config.uniform)
        weights = self.weights(self.shade(encoded, rays, samples, offset)[1])
        parts = [self.surface_classes(encoded, rays, samples[:, m]) for m in range(samples.shape[1])]
        return torch.einsum("rm,mrc->rc", weights, torch.stack(parts))

    def surface_classes(self, encoded: EncodedViews, rays: Rays, depth: Tensor) -> Tensor:
        """Class probabilities [R, C] at depth [R] metres along z of rays of one camera; zeros where it is 0."""
        points = rays.at((depth * rays.scale)[:, None])
        return self.point_classes(encoded, points, rays.origins[0])[0] * (depth > 0)[:, None]

    def point_classes(
        self, encoded: EncodedViews, points: Tensor, origin: Tensor, on_surface: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Class probabilities [N, C] at points [N, 3] for rays from `origin` [3], and the views [V, N] that see them.

        on_surface  views with a surface far behind the point do not count either
        """
        views = encoded.views
        projection = project_points(points, views)
        residual, known = depth_residual(views, projection)
        inside = projection.inside.T
        reach = 2 * tolerance(encoded)
        seen = visible(residual, known, inside, reach) if self.config.masks else inside
        if on_surface:
            seen = seen & known & (residual > -reach[:, None])
        own = torch.stack([(residual / _RESIDUAL).clamp(-1, 1), known.to(points)], dim=1)
        cues = torch.cat([ray_cues(points, origin, views.origins), own], dim=1)
        classes: Tensor = self.semantic_renderer(at_pixels(views.classes, projection, views.size), cues, seen)
        return classes, seen


def tolerance(encoded: EncodedViews) -> Tensor:
    """How far behind a source's depth a point still counts as seen, as a share of its z [V]."""
    return torch.where(encoded.known, _TOLERANCE_KNOWN, _TOLERANCE).to(encoded.images)


def surface_depth(samples: Tensor, weights: Tensor) -> Tensor:
    """Depth [R] of the samples [R, M] next to the one with the most weight; 0 without any.

    The mean over a whole ray would lie between two surfaces.
    """
    near = (samples / samples.gather(1, weights.argmax(dim=1, keepdim=True)) - 1).abs() < 0.1
    kept = weights * near
    total = kept.sum(dim=1)
    return torch.where(total > 1e-3, (kept * samples).sum(dim=1) / total.clamp(min=1e-6), 0.0)
