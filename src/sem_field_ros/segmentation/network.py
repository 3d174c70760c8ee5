"""The 2-D segmentation network: EfficientNet-Lite encoder, a light feature pyramid, class scores at 1/4 of the image.

The pyramid follows Lin et al. 2017 (arXiv:1612.03144) with depthwise-separable convolutions; the image-wide gate is
that of LR-ASPP (Howard et al. 2019, arXiv:1905.02244).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sem_field_ros.errors import WeightsError
from sem_field_ros.segmentation.backbone import LITE0, TINY, Backbone, BackboneConfig, Stage

KIND = "segmenter"
NETWORK = "pyramid"
Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class SegmenterConfig:
    """What builds a SegmenterNet. `width` is the pyramid's channels, `dropout` acts before the classifier."""

    classes: int
    backbone: BackboneConfig = LITE0
    width: int = 96
    dropout: float = 0.1

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return dataclasses.asdict(self)


def compact(classes: int) -> SegmenterConfig:
    """The shipped size."""
    return SegmenterConfig(classes)


def tiny(classes: int) -> SegmenterConfig:
    """For tests: the same structure with some 9,000 parameters."""
    return SegmenterConfig(classes, TINY, width=16, dropout=0.0)


NETWORKS: dict[str, Callable[[int], SegmenterConfig]] = {"compact": compact, "tiny": tiny}


def config_from_dict(content: Mapping[str, Any]) -> SegmenterConfig:
    """Read SegmenterConfig.as_dict. Raises WeightsError if it is something else."""
    try:
        backbone = content["backbone"]
        stages = tuple(Stage(**{k: int(v) for k, v in stage.items()}) for stage in backbone["stages"])
        return SegmenterConfig(
            int(content["classes"]),
            BackboneConfig(int(backbone["stem"]), stages),
            int(content["width"]),
            float(content["dropout"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a segmenter: {error!r}") from error


class Separable(nn.Sequential):
    """Depthwise 3x3 then 1x1, each with batch norm; ReLU at the end."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )


class Pyramid(nn.Module):
    """Feature maps at 1/4 ... 1/32 -> one map at 1/4 with context from the whole image."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(Separable(width) for _ in channels)
        self.gate = nn.Conv2d(channels[-1], width, 1)
        self.merge = Separable(width)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """maps: [B, C_i, h_i, w_i], finest first -> [B, width, h_0, w_0]."""
        x = self.lateral[-1](maps[-1]) * torch.sigmoid(self.gate(maps[-1].mean(dim=(2, 3), keepdim=True)))
        x = self.smooth[-1](x)
        levels = [x]
        for i in reversed(range(len(maps) - 1)):
            x = self.smooth[i](self.lateral[i](maps[i]) + _resized(x, maps[i]))
            levels.append(x)
        total = levels[-1]
        for level in levels[:-1]:
            total = total + _resized(level, total)
        return self.merge(total)


class SegmenterNet(nn.Module):
    """RGB images in, class scores at 1/4 of their size out."""

    corner_strides = None  # the cells of scores and features tile the image

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone)
        self.pyramid = Pyramid(config.backbone.channels[1:], config.width)
        self.dropout = nn.Dropout2d(config.dropout)
        self.classifier = nn.Conv2d(config.width, config.classes, 1)

    def features(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] RGB 0..1 -> features [B, width, ceil(H / 4), ceil(W / 4)], e.g. for a learned fusion."""
        return self.pyramid(self.backbone(images)[1:])

    def forward(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] RGB 0..1 -> class scores (logits) [B, classes, ceil(H / 4), ceil(W / 4)]."""
        return self.classify(self.features(images))

    def scores_and_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` and `features` give, for the work of one."""
        features = self.features(images)
        return self.classify(features), features

    def classify(self, features: Tensor) -> Tensor:
        """Features -> class scores (logits) of the same size."""
        return self.classifier(self.dropout(features))


def channels_last(net: Net) -> Net:
    """The net with its kernels laid out channels last, in place: twice as fast on CPUs."""
    cast(Any, net).to(memory_format=torch.channels_last)  # missing in the annotations of torch
    return net


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
