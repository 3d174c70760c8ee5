"""MOSAIC (Wang & Howard 2021, arXiv:2112.11623): a searched mobile encoder, multi-kernel pooling, a slim decoder.

The encoder is the paper's for quantised nets ("R4"); batch norms are folded into the convolutions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from sem_field_ros.errors import WeightsError
from sem_field_ros.segmentation.mobile_backbone import (
    Begun,
    Conv,
    MobileBackbone,
    MobileBlock,
    MobileConfig,
    Separable,
    enlarged,
    mobile_config_from_dict,
)

NETWORK = "mosaic"
_KERNELS = (3, 5)  # of the two halves of the channels, in every pooled map
_SCOPES = {  # our module -> the scope of its weights in the published file
    "backbone.stem": "MobilenetV3/Conv",
    "widen": "MobilenetV3/Conv_1",
    "pool_project": "spatial_pyramid_pooling_multikernel_conv/concat_projection",
    "merge": "decoder/decoder_feature_conv_0",
    "coarse.depthwise": "decoder/decoder_separable_conv_0_depthwise",
    "coarse.pointwise": "decoder/decoder_separable_conv_0_pointwise",
    "fine": "decoder/decoder_feature_projected1_1",
}

R4 = MobileConfig(
    stem=32,
    blocks=(
        MobileBlock(3, 2, 96, 32),
        MobileBlock(3, 1, 64, 32),
        MobileBlock(5, 2, 160, 64),
        MobileBlock(3, 1, 192, 64),
        MobileBlock(3, 1, 128, 64),
        MobileBlock(3, 1, 192, 64),
        MobileBlock(5, 2, 384, 128),
        MobileBlock(3, 1, 384, 128),
        MobileBlock(3, 1, 384, 128),
        MobileBlock(3, 1, 384, 128),
        MobileBlock(3, 1, 768, 160),
        MobileBlock(3, 1, 640, 160),
        MobileBlock(3, 1, 960, 192),
        MobileBlock(5, 1, 384, 96, 2),
        MobileBlock(5, 1, 384, 96, 2),
        MobileBlock(5, 1, 384, 96, 2),
    ),
)


@dataclass(frozen=True)
class MosaicConfig:
    """What builds a MosaicNet.

    wide    channels that are pooled                 bins    cells a side of the pooled maps of a square image
    pooled  channels each pooled map gets            merged  channels of the pyramid's result
    width   channels before the coarse classifier
    """

    classes: int
    backbone: MobileConfig = R4
    wide: int = 448
    bins: tuple[int, ...] = (4, 8, 16)
    pooled: int = 128
    merged: int = 128
    width: int = 64

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return {"network": NETWORK, **dataclasses.asdict(self)}


def config_from_dict(content: Mapping[str, Any]) -> MosaicConfig:
    """Read MosaicConfig.as_dict. Raises WeightsError in one line."""
    try:
        numbers = {name: int(content[name]) for name in ("classes", "wide", "pooled", "merged", "width")}
        backbone = mobile_config_from_dict(content["backbone"])
        return MosaicConfig(backbone=backbone, bins=tuple(int(n) for n in content["bins"]), **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a MOSAIC segmenter: {error!r}") from error


def tiny(classes: int) -> MosaicConfig:
    """For tests: the same structure, some 4,000 parameters."""
    blocks = (
        MobileBlock(3, 2, 12, 8),
        MobileBlock(5, 2, 12, 8),
        MobileBlock(3, 1, 12, 8),
        MobileBlock(5, 2, 16, 12, 1),
    )
    backbone = MobileConfig(8, (*blocks, MobileBlock(3, 1, 16, 12, 2)))
    return MosaicConfig(classes, backbone, wide=16, bins=(1, 2), pooled=8, merged=8, width=8)


class MultiKernel(nn.Module):
    """Half of the channels through a separable 3x3 convolution, half through a 5x5."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halves = nn.ModuleList(Separable(inputs // 2, outputs // 2, kernel) for kernel in _KERNELS)

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w] -> [B, C', h, w]
        return torch.cat([net(half) for net, half in zip(self.halves, x.chunk(2, dim=1), strict=True)], dim=1)


class MosaicMaps(NamedTuple):
    """What one pass of a MosaicNet computes, [B, channels, h, w].

    scores    class scores at 1/4                       features  what the coarse classifier reads, at 1/8
    pyramid   the multi-kernel pyramid's result at 1/8  eighth, fourth  the encoder's wide maps at 1/8 and 1/4
    """

    scores: Tensor
    features: Tensor
    pyramid: Tensor
    eighth: Tensor
    fourth: Tensor


class MosaicNet(nn.Module):
    """RGB images in, class scores at 1/4 of their size out; cell (i, j) lies on pixel (4 i, 4 j)."""

    corner_strides = (4, 8)  # pixels between the cells of scores and of features; the first lies on pixel (0, 0)

    def __init__(self, config: MosaicConfig) -> None:
        super().__init__()
        self.config = config
        taps = config.backbone.taps()
        wide = {stride: config.backbone.blocks[i].wide for stride, i in taps.items()}
        self.backbone = MobileBackbone(config.backbone)
        self.widen = Conv(config.backbone.blocks[-1].channels, config.wide)
        self.pooled = nn.ModuleList(MultiKernel(config.wide, config.pooled) for _ in config.bins)
        self.pool_project = Conv(config.wide + config.pooled * len(config.bins), config.merged)
        self.merge = Conv(config.merged + wide[8], config.width)
        self.coarse = Separable(config.width, config.classes)
        self.fine = Conv(wide[4], config.classes)

    def forward(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] RGB 0..1 -> class scores (logits) [B, classes, ceil(H / 4), ceil(W / 4)]."""
        return self.scores_and_features(images)[0]

    def scores_and_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores as `forward` gives them, and what the coarse classifier reads, [B, width, ~H / 8, ~W / 8]."""
        maps = self.maps(images)
        return maps.scores, maps.features

    def begin(self, images: Tensor, blocks: int) -> Begun:
        """Run the encoder's first `blocks` blocks on images [B, 3, H, W] RGB 0..1, for `maps`."""
        return self.backbone.begin(_of_images(images), blocks)

    def maps(self, images: Tensor, begun: Begun | None = None) -> MosaicMaps:
        """images [B, 3, H, W] RGB 0..1 -> class scores and the maps that a further head may read."""
        x, inner = self.backbone(_of_images(images), begun)
        x = self.pool_project(self._pyramid(self.widen(x)))
        pyramid = enlarged(x, 2, inner[8])
        features = self.merge(torch.cat([pyramid, inner[8]], dim=1))
        scores = self.fine(inner[4]) + enlarged(self.coarse(features), 2, inner[4])
        return MosaicMaps(scores, features, pyramid, inner[8], inner[4])

    def _pyramid(self, x: Tensor) -> Tensor:  # [B, wide, h, w] -> [B, more, h, w]
        maps = []
        for bins, kernels in zip(self.config.bins, self.pooled, strict=True):
            size = max(1, math.ceil(max(x.shape[-2:]) / bins))
            maps.append(enlarged(kernels(avg_pool2d(x, size, ceil_mode=True, count_include_pad=False)), size, x))
        return torch.cat([*maps, x], dim=1)

    def tflite_scopes(self) -> dict[str, str]:
        """Module name -> scope of its weights in the published TFLite file, for every convolution."""
        scopes = dict(_SCOPES)
        for i, block in enumerate(self.backbone.blocks):
            for part in ("expand", "depthwise", "project"):
                if isinstance(getattr(block, part), Conv):
                    scopes[f"backbone.blocks.{i}.{part}"] = f"MobilenetV3/expanded_conv{f'_{i}' if i else ''}/{part}"
        name = "spatial_pyramid_pooling_multikernel_conv"
        for i in range(len(self.pooled)):
            for j in range(len(_KERNELS)):
                for part in ("depthwise", "pointwise"):
                    scopes[f"pooled.{i}.halves.{j}.{part}"] = f"{name}/{name}{i + 1}multikernel_split{j}_{part}"
        return scopes


def _of_images(images: Tensor) -> Tensor:
    return (images * 255 - 128) / 127.5  # 128 is zero in the 8 bits of the published net
