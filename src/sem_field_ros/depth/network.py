"""A network that predicts depth and its uncertainty from matching scores and the appearance of the reference image.

Scores alone are ambiguous on bare walls, so a frozen ImageNet encoder adds features of the reference image. Both go
through a 2-D U-Net with the depth planes as channels, as in SimpleRecon (Sayed et al. 2022): no 3-D convolutions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sem_field_ros.depth.sweep import SweepConfig
from sem_field_ros.errors import WeightsError
from sem_field_ros.segmentation.backbone import LITE0, TINY, Backbone, BackboneConfig, Stage

KIND = "stereo_depth"
_LEVELS = 3  # maps of the encoder that are used: 1/4, 1/8, 1/16
_USUAL_VIEWS = 8  # scale of the number of views in the summary


@dataclass(frozen=True)
class StereoConfig:
    """What builds a StereoNet: channels at 1/4, 1/8 and 1/16 of the image; `encoder` ends at 1/16."""

    encoder: BackboneConfig
    sweep: SweepConfig = field(default_factory=SweepConfig)
    channels: tuple[int, int, int] = (64, 96, 128)
    context: tuple[int, int, int] = (16, 32, 64)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return dataclasses.asdict(self)


def compact() -> StereoConfig:
    """The shipped size: the first five stages of EfficientNet-Lite0."""
    return StereoConfig(BackboneConfig(LITE0.stem, LITE0.stages[:5]))


def tiny() -> StereoConfig:
    """For tests."""
    encoder = BackboneConfig(TINY.stem, TINY.stages[:4])
    return StereoConfig(encoder, SweepConfig(planes=16, patch=3), (16, 16, 16), (4, 4, 4))


NETWORKS: dict[str, Callable[[], StereoConfig]] = {"compact": compact, "tiny": tiny}


def config_from_dict(content: Mapping[str, Any]) -> StereoConfig:
    """Read StereoConfig.as_dict. Raises WeightsError if it is something else."""
    try:
        stages = tuple(Stage(**{k: int(v) for k, v in stage.items()}) for stage in content["encoder"]["stages"])
        a, b, c = (int(v) for v in content["channels"])
        d, e, f = (int(v) for v in content["context"])
        encoder = BackboneConfig(int(content["encoder"]["stem"]), stages)
        return StereoConfig(encoder, SweepConfig(**content["sweep"]), (a, b, c), (d, e, f))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a stereo network: {error!r}") from error


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class StereoNet(nn.Module):
    """forward: matching scores and context -> log depth and log spread at 1/4 of the image."""

    def __init__(self, config: StereoConfig) -> None:
        super().__init__()
        self.config = config
        planes = config.sweep.planes
        self.encoder = Backbone(config.encoder)
        self.encoder.requires_grad_(False)
        a, b, c = config.channels
        self.context = nn.ModuleList(
            nn.Sequential(nn.Conv2d(given, used, 1), nn.BatchNorm2d(used), nn.ReLU(inplace=True))
            for given, used in zip(self.encoder_channels, config.context, strict=True)
        )
        d, e, f = config.context
        self.enter = _conv(2 * planes + 1, a)
        self.fine = _conv(a + d, a)
        self.middle = nn.Sequential(_conv(a, b, stride=2), nn.Identity())
        self.middle_joined = nn.Sequential(_conv(b + e, b), _conv(b, b))
        self.coarse = _conv(b, c, stride=2)
        self.coarse_joined = nn.Sequential(_conv(c + f, c), _conv(c, c), _conv(c, c))
        self.up_middle = _conv(b + c, b)
        self.up_fine = nn.Sequential(_conv(a + b, a), _conv(a, a))
        self.planes = nn.Conv2d(a, planes, 3, padding=1)
        self.spread = nn.Conv2d(a, 1, 1)
        self.sharpness = nn.Parameter(torch.tensor(3.0))  # of the scores, which are added to the logits
        self.register_buffer("log_depths", config.sweep.depths().log(), persistent=False)

    @property
    def encoder_channels(self) -> tuple[int, ...]:
        """Channels of the encoder's maps at 1/4, 1/8 and 1/16."""
        return tuple(self.config.encoder.channels[1 : 1 + _LEVELS])

    def train(self, mode: bool = True) -> StereoNet:
        """All but the encoder, which is frozen."""
        super().train(mode)
        self.encoder.eval()
        return self

    @torch.no_grad()
    def encode(self, images: Tensor) -> list[Tensor]:
        """images [B, 3, H, W] RGB 0..1 -> context maps at 1/4, 1/8 and 1/16."""
        return list(self.encoder(images)[1 : 1 + _LEVELS])

    def forward(self, scores: Tensor, context: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """scores [B, 2 planes + 1, h, w] (see `summary`) and the maps of `encode`.

        -> log depth [B, h, w], log of its spread (of log depth) [B, h, w], logits of the planes [B, planes, h, w]
        """
        seen = [net(x) for net, x in zip(self.context, context, strict=True)]
        fine = self.fine(torch.cat([self.enter(scores), _fit(seen[0], scores)], dim=1))
        middle = self.middle(fine)
        middle = self.middle_joined(torch.cat([middle, _fit(seen[1], middle)], dim=1))
        coarse = self.coarse(middle)
        coarse = self.coarse_joined(torch.cat([coarse, _fit(seen[2], coarse)], dim=1))
        middle = self.up_middle(torch.cat([middle, _fit(coarse, middle)], dim=1))
        fine = self.up_fine(torch.cat([fine, _fit(middle, fine)], dim=1))
        logits = self.planes(fine) + self.sharpness * scores[:, : self.config.sweep.planes]
        log_depth = (torch.softmax(logits, dim=1) * self.get_buffer("log_depths")[:, None, None]).sum(dim=1)
        return log_depth, self.spread(fine)[:, 0] - math.log(10), logits


def peak_log_depth(logits: Tensor, log_depths: Tensor, reach: int = 3) -> Tensor:
    """Log depth [B, h, w] of logits [B, planes, h, w]: the mean over the planes within `reach` of the best one.

    The mean over all planes, which is trained, lies between the surfaces if there are two candidates.
    """
    probabilities = torch.softmax(logits, dim=1)
    place = torch.arange(len(log_depths), device=logits.device)[:, None, None]
    near = (place - probabilities.argmax(dim=1, keepdim=True)).abs() <= reach
    weights = probabilities * near
    return (weights * log_depths[:, None, None]).sum(dim=1) / weights.sum(dim=1)


def summary(scores: Tensor, inside: Tensor) -> Tensor:
    """Mean and best score of V views, and how many see the points, from match_scores [V, D, h, w] -> [2 D + 1, h, w].

    It does not depend on the order of the views.
    """
    count = inside.sum(dim=0)
    mean = scores.sum(dim=0) / count.clamp(min=1)
    best = scores.masked_fill(~inside, -1.0).amax(dim=0).clamp(min=-1.0) * (count > 0)
    views = count.float().mean(dim=0, keepdim=True) / _USUAL_VIEWS
    return torch.cat([mean, best, views])


def _fit(x: Tensor, like: Tensor) -> Tensor:
    return x if x.shape[-2:] == like.shape[-2:] else interpolate(x, like.shape[-2:], mode="bilinear")
