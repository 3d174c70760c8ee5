"""A light 2-D U-Net from images to features at a quarter of their size (the F_i of GNeSF)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(math.gcd(4, channels_out), channels_out),
        nn.ReLU(inplace=True),
    )


class FeatureNet(nn.Module):
    """Levels at 1/2, 1/4, 1/8, ... of the image (`channels` of each), joined again at 1/4."""

    def __init__(self, features: int = 32, channels: tuple[int, ...] = (16, 32, 48, 64)) -> None:
        super().__init__()
        before = (3, *channels[:-1])
        self.levels = nn.ModuleList(
            nn.Sequential(_conv(a, b, stride=2), _conv(b, b)) for a, b in zip(before, channels, strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(c, features, 1) for c in channels[1:])
        self.smooth = _conv(features, features)
        self.out = nn.Conv2d(features, features, 1)

    def forward(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] RGB 0..1 -> [B, features, ceil(H / 4), ceil(W / 4)]."""
        x = images - 0.5
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        x = self.lateral[-1](maps[-1])
        for lateral, finer in zip(reversed(self.lateral[:-1]), reversed(maps[1:-1]), strict=True):
            x = lateral(finer) + interpolate(x, finer.shape[2:], mode="bilinear", align_corners=False)
        return self.out(self.smooth(torch.relu(x)))
