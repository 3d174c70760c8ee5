"""Image features of GSNeRF: a 2-D U-Net with a feature pyramid at 1, 1/2 and 1/4, and the semantic feature decoder.

Features of the cost volumes also have fixed channels, normalised grey-value patches (geometry/patches.py): their
correlation finds depth before any training.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, group norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(math.gcd(4, channels_out), channels_out),
        nn.ReLU(inplace=True),
    )


class FeaturePyramid(nn.Module):
    """Features at 1, 1/2 and 1/4 of the image, of `channels`; coarse ones are added to finer ones."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = channels
        self.at_fine = conv(3, a)
        self.at_half = nn.Sequential(conv(a, b, 2), conv(b, b))
        self.at_quarter = nn.Sequential(conv(b, c, 2), conv(c, c))
        self.at_eighth = nn.Sequential(conv(c, 2 * c, 2), conv(2 * c, 2 * c), nn.Conv2d(2 * c, c, 1))
        self.to_half, self.to_fine = nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.out = nn.ModuleList(nn.Conv2d(n, n, 3, padding=1) for n in channels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """images [B, 3, H, W] RGB 0..1 -> features [B, channels, ...] at 1, 1/2 and 1/4, the finest first."""
        fine = self.at_fine(images - 0.5)
        half = self.at_half(fine)
        quarter = self.at_quarter(half)
        quarter = quarter + enlarge(self.at_eighth(quarter), quarter)
        half = half + self.to_half(enlarge(quarter, half))
        fine = fine + self.to_fine(enlarge(half, fine))
        return [net(x) for net, x in zip(self.out, (fine, half, quarter), strict=True)]


class SemanticDecoder(nn.Module):
    """Class logits of a source image, at 1/2 of its size, from the feature pyramid (the paper's semantic features)."""

    def __init__(self, channels: tuple[int, int, int], hidden: int, classes: int) -> None:
        super().__init__()
        self.at_quarter = nn.Sequential(conv(channels[2], 2 * hidden), conv(2 * hidden, 2 * hidden))
        self.deep = nn.Sequential(conv(2 * hidden, 2 * hidden, 2), conv(2 * hidden, 2 * hidden))
        self.deeper = nn.Sequential(conv(2 * hidden, 2 * hidden, 2), conv(2 * hidden, 2 * hidden))
        self.at_half = conv(2 * hidden + channels[1], hidden)
        self.out = nn.Conv2d(hidden, classes, 1)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """Features of FeaturePyramid -> logits [B, classes, H/2, W/2]."""
        _, half, quarter = pyramid
        x = self.at_quarter(quarter)
        deep = self.deep(x)
        deep = deep + enlarge(self.deeper(deep), deep)
        x = x + enlarge(deep, x)
        logits: Tensor = self.out(self.at_half(torch.cat([enlarge(x, half), half], dim=1)))
        return logits


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """x [B, C, h, w] at the size of `like`, bilinearly."""
    return interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
