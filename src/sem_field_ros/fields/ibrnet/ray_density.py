"""Density from the source views at every sample of a ray, for view synthesis; beyond the GNeSF paper.

A volume's cells are too coarse to place a surface for an image. IBRNet (Wang et al. 2021) samples the views at every
point of a ray: agreement indicates a surface. Views are weighted, their mean and variance pooled, and neighbouring
samples of a ray connected (here by convolutions along the ray), because agreement is only evidence compared with the
agreement before and behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from sem_field_ros.fields.common.over_views import Channels, mean_correlation, moments, softmax_over_views
from sem_field_ros.fields.common.views import Projection, SourceViews, sample_depth, sample_maps
from sem_field_ros.geometry.patches import normalised_patches

_POOLED = 6  # scalars of Pooled.scalars
_DEPTH_CUES = 2
_VIEW_CUES = 5
_RESIDUAL = 0.05  # of the depth: residuals of source depth are measured in this
_MAX_LOG = 10.0  # of density


@dataclass(frozen=True)
class RayConfig:
    """Sizes: `hidden` channels a view, `channels` along the ray in `layers` convolutions of `reach` samples.

    patch, order, noise  of the normalised patches whose correlation measures agreement of views (geometry/patches.py)
    depth                whether depth images of the views, if any, are a cue: sample before, at or behind the surface
    stride               weights are computed for every stride-th pixel of a rendered image and interpolated
    """

    hidden: int = 16
    channels: int = 24
    layers: int = 3
    reach: int = 5
    patch: int = 5
    order: int = 4
    noise: float = 0.01
    depth: bool = True
    stride: int = 2


@dataclass(frozen=True)
class ViewObservations:
    """Samples of V views at N points, zeros if a view does not see a point; channels before points, which is faster.

    features [V, D, N]      colors [V, 3, N]      seen [V, N] bool
    agreement [V, N]        correlation -1..1 of a view's patch with those of the others that see the point, the mean
    depth [V, 2, N]         residual (z - d) / (5 % of z) within -1..1, and whether there is a depth
    """

    features: Tensor
    colors: Tensor
    agreement: Tensor
    depth: Tensor
    seen: Tensor


@dataclass(frozen=True)
class Pooled:
    """Of N points: per_view [V, H, N]; joint [2 H + 6, N], the views' mean, variance and agreement; prior [N].

    prior  untrained log-odds of a surface: how well the views' patches correlate and how little their colours vary
    """

    per_view: Tensor
    joint: Tensor
    prior: Tensor


def patches_of(images: Tensor, config: RayConfig) -> Tensor:
    """Normalised patches [V, P, H/2, W/2] of images [V, 3, H, W]."""
    return normalised_patches(images, config.patch, config.order, config.noise)


def observe(views: SourceViews, images: Tensor, patches: Tensor, projection: Projection) -> ViewObservations:
    """Sample everything at projected points."""
    seen = projection.inside.T.contiguous()
    mask = seen[:, None].to(images)

    def at(maps: Tensor) -> Tensor:
        return sample_maps(maps, projection.pixels, views.size).permute(1, 2, 0) * mask

    depth = _depth_cues(views, projection).permute(1, 2, 0) if views.depth is not None else None
    return ViewObservations(
        at(views.features),
        at(images),
        mean_correlation(at(patches), seen),
        images.new_zeros(len(seen), _DEPTH_CUES, seen.shape[1]) if depth is None else depth,
        seen,
    )


def _depth_cues(views: SourceViews, projection: Projection) -> Tensor:
    assert views.depth is not None
    z = projection.z
    scale = views.depth.shape[2] / views.size[0]
    depth = sample_depth(views.depth, (projection.pixels + 0.5) * scale - 0.5)
    known = (depth > 0) & projection.inside
    residual = ((z - depth) / (_RESIDUAL * z.clamp(min=0.1))).clamp(-1, 1)
    return torch.stack([residual * known, known.to(z)], dim=-1)


def view_cues(points: Tensor, directions: Tensor, origins: Tensor) -> Tensor:
    """Viewing directions of V views at points [N, 3] relative to rays of unit `directions` [N, 3]: [V, 5, N].

    Difference and product of the unit directions, and the view's distance as its logarithm.
    """
    offset = points[:, None] - origins
    distance = offset.norm(dim=-1, keepdim=True).clamp(min=1e-3)
    unit = offset / distance
    along = (unit * directions[:, None]).sum(dim=-1, keepdim=True)
    return torch.cat([unit - directions[:, None], (along - 1) * 10, distance.log()], dim=-1).permute(1, 2, 0)


class ViewPooling(nn.Module):
    """Every view of a point with the mean of all, pooled with learned weights (IBRNet, Sec. 3.2)."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.own = Channels(features + 3 + 1 + _DEPTH_CUES, hidden)
        self.common = Channels(2 * features + 6 + 1, hidden)
        self.second = Channels(hidden, hidden)
        self.score = Channels(hidden, 1)

    def forward(self, observed: ViewObservations) -> Pooled:
        """See Pooled; a view that does not see a point has no influence."""
        count = observed.seen.sum(dim=0).to(observed.colors)
        features, colors = (moments(values, count) for values in (observed.features, observed.colors))
        common = torch.cat([*features, colors[0], (colors[1] + 1e-6).sqrt(), count[None] / 8])
        own = torch.cat([observed.features, observed.colors, observed.agreement[:, None], observed.depth], dim=1)
        x = relu(self.own(own) + self.common(common))
        x = relu(self.second(x))
        weights = softmax_over_views(self.score(x)[:, 0], observed.seen)
        return _pool(x, weights, observed, colors[1].sum(dim=0), count)


def _pool(x: Tensor, weights: Tensor, observed: ViewObservations, variance: Tensor, count: Tensor) -> Pooled:
    w = weights[:, None]
    mean = (w * x).sum(dim=0)
    spread = ((w * x.square()).sum(dim=0) - mean.square()).clamp(min=0)
    color = (w * observed.colors).sum(dim=0)
    uneven = ((w * observed.colors.square()).sum(dim=0) - color.square()).clamp(min=0).sum(dim=0)
    agreement = (observed.agreement * observed.seen).sum(dim=0) / count.clamp(min=1)
    chosen = (weights * observed.agreement).sum(dim=0)
    logs = _log(variance), _log(uneven)
    depth = (w * observed.depth).sum(dim=0)[0]
    scalars = torch.stack([agreement, chosen, logs[0] / 4 + 1, logs[1] / 4 + 1, count / 8, depth])
    prior = 5 * (agreement + chosen) - 0.5 * (logs[0] + logs[1]) - 5 * (count < 2)
    return Pooled(x, torch.cat([mean, spread, scalars]), prior)


def _log(variance: Tensor) -> Tensor:
    return variance.clamp(min=1e-4).log()


class RayDensity(nn.Module):
    """Density 1/m of M samples of R rays from pooled views, with convolutions along the ray."""

    def __init__(self, encoded: int, config: RayConfig) -> None:
        super().__init__()
        self.enter = Channels(encoded + 2 + 2 * config.hidden + _POOLED + 1, config.channels)
        self.along = nn.ModuleList(
            nn.Conv1d(config.channels, config.channels, config.reach, padding=config.reach // 2)
            for _ in range(config.layers)
        )
        self.out = Channels(config.channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def forward(self, pooled: Pooled, volume: Tensor, spacing: Tensor) -> Tensor:
        """volume [m + 2, R * M]: M(x), whether x is inside it, log of the volume's own density; spacing [R, M] metres.

        -> [R, M]
        """
        prior = pooled.prior.reshape(spacing.shape)
        relative = prior - prior.amax(dim=1, keepdim=True)
        x = relu(self.enter(torch.cat([volume, pooled.joint, relative.reshape(1, -1) / 4])))
        x = x.reshape(-1, *spacing.shape).transpose(0, 1).contiguous()
        for layer in self.along:
            x = x + relu(layer(x))
        raw = self.out(x)[:, 0] + self.sharpness * relative
        return torch.exp((raw - spacing.log()).clamp(max=_MAX_LOG))


class Blending(nn.Module):
    """Weights of V source colours at N points from the views' samples and directions (IBRNet)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            Channels(hidden + _VIEW_CUES + 1, 16), nn.ReLU(), Channels(16, 8), nn.ReLU(), Channels(8, 1)
        )

    def forward(self, per_view: Tensor, cues: Tensor, agreement: Tensor, seen: Tensor) -> Tensor:
        """per_view [V, H, N], cues [V, 5, N], agreement and seen [V, N] -> weights [V, N]."""
        return softmax_over_views(self.net(torch.cat([per_view, cues, agreement[:, None]], dim=1))[:, 0], seen)
