"""A small 3-D U-Net that reads a cost volume: scores of the depth hypotheses and a volume feature."""

from __future__ import annotations

import math

from torch import Tensor, cat, nn
from torch.nn.functional import avg_pool3d, interpolate


def _conv(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.GroupNorm(math.gcd(4, channels_out), channels_out),
        nn.ReLU(inplace=True),
    )


class VolumeUNet(nn.Module):
    """Two reductions by 2. The last layer of the scores starts at zero: untrained, the correlation alone decides."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.enter = _conv(channels_in, channels)
        self.at_half = _conv(channels, 2 * channels)
        self.at_quarter = nn.Sequential(_conv(2 * channels, 2 * channels), _conv(2 * channels, 2 * channels))
        self.back_half = _conv(4 * channels, 2 * channels)
        self.back = nn.Conv3d(2 * channels, channels, 1)
        self.score = nn.Conv3d(channels, 1, 3, padding=1)
        nn.init.zeros_(self.score.weight)
        assert self.score.bias is not None
        nn.init.zeros_(self.score.bias)

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """volume [B, C, D, h, w] -> residual scores [B, D, h, w], volume feature [B, channels, D, h, w]."""
        enter = self.enter(volume)
        half = self.at_half(_pool(enter))
        quarter = self.at_quarter(_pool(half))
        half = self.back_half(cat([half, _enlarge(quarter, half)], dim=1))
        features = enter + self.back(_enlarge(half, enter))
        return self.score(features)[:, 0], features


def _pool(x: Tensor) -> Tensor:
    return avg_pool3d(x, 2, ceil_mode=True)


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    return interpolate(x, like.shape[2:], mode="trilinear", align_corners=False)
