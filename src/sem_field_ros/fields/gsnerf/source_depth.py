"""Depth of a source view from its cascade of cost volumes (Sec. 4.2.1): soft-argmin per level, coarse to fine.

Untrained, the correlation of normalised patches decides, and depth spreads from pixels that match to those that do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, avg_pool3d, interpolate, normalize

from sem_field_ros.fields.gsnerf.config import GsnerfConfig, VolumeLevel
from sem_field_ros.fields.gsnerf.cost_volume import correlation_volume, first_hypotheses, narrow_hypotheses
from sem_field_ros.fields.gsnerf.feature_net import enlarge
from sem_field_ros.fields.gsnerf.volume_net import VolumeUNet
from sem_field_ros.fields.gsnerf.warping import Neighbours
from sem_field_ros.geometry.patches import normalised_patches

_CONTEXT = 4
_PATCH, _ORDER, _NOISE = 5, 4, 0.01  # of normalised patches, as in depth/sweep.py
_NEAR_PEAK = 1.5  # planes from the best one that count as the same surface
_EDGE = 0.05  # relative step in depth that is not interpolated


@dataclass(frozen=True)
class LevelDepth:
    """One level: hypotheses [D, h, w] metres, scores [D, h, w] (logits), and its depth [h, w] by soft-argmin."""

    hypotheses: Tensor
    scores: Tensor
    depth: Tensor


@dataclass(frozen=True)
class SourceDepth:
    """depth [h, w] metres along z at the last level; confidence [h, w] 0..1; the levels; the volume feature.

    feature  [C, D, h', w'] of the first level, whose planes have equal ratios from near to far
    """

    depth: Tensor
    confidence: Tensor
    levels: list[LevelDepth]
    feature: Tensor


class DepthCascade(nn.Module):
    """See the module."""

    def __init__(self, config: GsnerfConfig) -> None:
        super().__init__()
        self.config = config
        channels = {1: config.channels[0], 2: config.channels[1], 4: config.channels[2]}
        used = [channels[level.reduction] for level in config.levels]
        self.sharpness = nn.Parameter(torch.full((len(used),), 12.0))
        if not config.learned:
            return
        self.context = nn.ModuleList(nn.Conv2d(c, _CONTEXT, 1) for c in used)
        self.nets = nn.ModuleList(VolumeUNet(config.groups + 3 + _CONTEXT, config.volume) for _ in used)
        self.matching = nn.ModuleList(nn.Conv2d(c, 4 * config.groups, 1) for c in used)

    def forward(self, pyramid: Sequence[Tensor], images: Tensor, views: Neighbours) -> SourceDepth:
        """pyramid: features [1 + N, ...] at 1, 1/2, 1/4; images [1 + N, 3, H, W]; the reference first."""
        levels: list[LevelDepth] = []
        feature = images.new_zeros(0)
        filled = confidence = images.new_zeros(1)
        for i, level in enumerate(self.config.levels):
            features = pyramid[{1: 0, 2: 1, 4: 2}[level.reduction]]
            hypotheses = self._hypotheses(level, filled if levels else None, features)
            found, own = self._level(i, features, images, hypotheses, views, level)
            feature = own if i == 0 else feature
            levels.append(found)
            mass = certainty(found.scores)
            confidence = mass if i == 0 else mass * enlarge(confidence[None, None], mass)[0, 0]
            filled = spread_depth(peak_depth(found), confidence if i == 0 else mass.clamp(min=0.05))
        return SourceDepth(filled, confidence, levels, feature)

    def _hypotheses(self, level: VolumeLevel, before: Tensor | None, features: Tensor) -> Tensor:
        near, far, size = self.config.near_m, self.config.far_m, features.shape[-2:]
        if before is None:
            return first_hypotheses(level.planes, near, far, features)[:, None, None].expand(-1, *size)
        return narrow_hypotheses(enlarged_depth(before.detach(), size), level.planes, level.reach, near, far)

    def _level(
        self, i: int, features: Tensor, images: Tensor, hypotheses: Tensor, views: Neighbours, level: VolumeLevel
    ) -> tuple[LevelDepth, Tensor]:
        fixed = _patches(images, level.reduction, features.shape[-2:])
        if self.config.learned:
            learned = normalize(self.matching[i](features), dim=1) * 2
            volume, count = correlation_volume(learned, fixed, hypotheses, views, self.config.groups)
            residual, feature = self._read(i, features, volume, count / max(len(views), 1), hypotheses)
        else:
            volume, _ = correlation_volume(features, fixed, hypotheses, views, 0)
            residual, feature = torch.zeros_like(hypotheses), volume.new_zeros(self.config.volume, 1, 1, 1)
        smooth = avg_pool3d(volume[None, :1], (1, 3, 3), 1, (0, 1, 1), count_include_pad=False)[0, 0]
        scores = self.sharpness[i] * smooth + residual
        depth = (torch.softmax(scores, dim=0) * hypotheses.log()).sum(dim=0).exp()
        return LevelDepth(hypotheses, scores, depth), feature

    def _read(
        self, i: int, features: Tensor, volume: Tensor, count: Tensor, hypotheses: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The 3-D U-Net's residual scores [D, h, w] and its feature [C, D, h, w]."""
        context = self.context[i](features[:1])[0][:, None].expand(-1, *hypotheses.shape)
        place = (hypotheses / self.config.near_m).log()[None] / 3 - 0.5
        residual, feature = self.nets[i](torch.cat([volume, count[None], place, context])[None])
        return residual[0], feature[0]


def _patches(images: Tensor, reduction: int, size: torch.Size) -> Tensor:
    """Normalised patches at 1/`reduction` of the images; normalised_patches halves its input."""
    if reduction == 1:
        images = interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    elif reduction == 4:
        images = avg_pool2d(images, 2, ceil_mode=True, count_include_pad=False)
    found = normalised_patches(images, _PATCH, _ORDER, _NOISE)
    return found if found.shape[-2:] == size else interpolate(found, size, mode="bilinear", align_corners=False)


def certainty(scores: Tensor) -> Tensor:
    """Probability [h, w] that the depth is that of the best of D hypotheses, from scores [D, h, w]."""
    return (torch.softmax(scores, dim=0) * _near_peak(scores)).sum(dim=0)


def peak_depth(level: LevelDepth) -> Tensor:
    """Depth [h, w] metres: the mean near the best hypothesis; over all, it would lie between two candidates."""
    weights = torch.softmax(level.scores, dim=0) * _near_peak(level.scores)
    return ((weights * level.hypotheses.log()).sum(dim=0) / weights.sum(dim=0).clamp(min=1e-9)).exp()


def _near_peak(scores: Tensor) -> Tensor:
    place = torch.arange(len(scores), device=scores.device)[:, None, None]
    return (place - scores.argmax(dim=0)).abs() <= _NEAR_PEAK


def spread_depth(depth: Tensor, confidence: Tensor) -> Tensor:
    """Depth [h, w] in which pixels of little confidence [h, w] take that of the confident ones around them."""
    weight = confidence.clamp(0, 1).square()[None, None]
    value = depth.log()[None, None] * weight
    pyramid = [(value, weight)]
    while max(value.shape[-2:]) > 1:
        value, weight = (avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in pyramid[-1])
        pyramid.append((value, weight))
    value, weight = pyramid[-1]
    log = value / weight.clamp(min=1e-6)
    for value, weight in reversed(pyramid[:-1]):
        log = weight.clamp(max=1) * (value / weight.clamp(min=1e-6)) + (1 - weight.clamp(max=1)) * enlarge(log, value)
    return log[0, 0].exp()


def enlarged_depth(depth: Tensor, size: Sequence[int]) -> Tensor:
    """Depth [h, w] at another size, interpolated only where neighbours agree; 0 = none is kept."""
    whole = depth[None, None]
    nearest = interpolate(whole, tuple(size), mode="nearest-exact")[0, 0]
    smooth = interpolate(whole, tuple(size), mode="bilinear", align_corners=False)[0, 0]
    return torch.where((smooth - nearest).abs() < _EDGE * nearest, smooth, nearest)
