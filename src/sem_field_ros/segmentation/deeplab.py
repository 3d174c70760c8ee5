"""DeepLabv3+ (Chen et al. 2018, arXiv:1802.02611) on MobileNetV2 at output stride 16, batch norms folded in.

The mobile form: of the atrous pyramid only the 1x1 branch and the image-wide mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sem_field_ros.errors import WeightsError
from sem_field_ros.segmentation.mobile_backbone import (
    Conv,
    MobileBackbone,
    MobileBlock,
    MobileConfig,
    Separable,
    enlarged,
    mobile_config_from_dict,
)

NETWORK = "deeplabv3plus"
_SCOPES = {  # our module -> the scope of its weights in the published file
    "backbone.stem": "MobilenetV2/Conv",
    "image_pool": "image_pooling",
    "point": "aspp0",
    "pool_project": "concat_projection",
    "fine": "decoder/feature_projection0",
    "decode.0.depthwise": "decoder/decoder_conv0_depthwise",
    "decode.0.pointwise": "decoder/decoder_conv0_pointwise",
    "decode.1.depthwise": "decoder/decoder_conv1_depthwise",
    "decode.1.pointwise": "decoder/decoder_conv1_pointwise",
    "classifier": "logits/semantic",
}


def _stage(inputs: int, channels: int, blocks: int, stride: int, dilations: tuple[int, int]) -> list[MobileBlock]:
    first = MobileBlock(3, stride, 6 * inputs, channels, dilations[0])
    return [first] + [MobileBlock(3, 1, 6 * channels, channels, dilations[1])] * (blocks - 1)


MOBILENET_V2 = MobileConfig(
    stem=32,
    blocks=(
        MobileBlock(3, 1, 32, 16),
        *_stage(16, 24, 2, 2, (1, 1)),
        *_stage(24, 32, 3, 2, (1, 1)),
        *_stage(32, 64, 4, 2, (1, 1)),
        *_stage(64, 96, 3, 1, (1, 1)),
        *_stage(96, 160, 3, 1, (1, 2)),  # stride 2 in the classifier; dilated here instead
        *_stage(160, 320, 1, 1, (2, 2)),
    ),
    activation="relu6",
)


@dataclass(frozen=True)
class DeepLabConfig:
    """What builds a DeepLabNet: `width` channels in the pyramid and the decoder, `fine` of the map at 1/4."""

    classes: int
    backbone: MobileConfig = MOBILENET_V2
    width: int = 256
    fine: int = 48

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return {"network": NETWORK, **dataclasses.asdict(self)}


def config_from_dict(content: Mapping[str, Any]) -> DeepLabConfig:
    """Read DeepLabConfig.as_dict. Raises WeightsError in one line."""
    try:
        numbers = {name: int(content[name]) for name in ("classes", "width", "fine")}
        return DeepLabConfig(backbone=mobile_config_from_dict(content["backbone"]), **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a DeepLabv3+ segmenter: {error!r}") from error


def tiny(classes: int) -> DeepLabConfig:
    """For tests: the same structure, some 3,000 parameters."""
    blocks = (MobileBlock(3, 1, 8, 8), MobileBlock(3, 2, 12, 8), MobileBlock(3, 2, 12, 8), MobileBlock(3, 2, 16, 12))
    return DeepLabConfig(classes, MobileConfig(8, (*blocks, MobileBlock(3, 1, 16, 12, 2)), "relu6"), width=16, fine=8)


class DeepLabNet(nn.Module):
    """RGB images in, class scores at 1/4 of their size out; cell (i, j) lies on pixel (4 i, 4 j)."""

    corner_strides = (4, 4)  # pixels between the cells of scores and of features; the first lies on pixel (0, 0)

    def __init__(self, config: DeepLabConfig) -> None:
        super().__init__()
        self.config = config
        blocks, width = config.backbone.blocks, config.width
        self.backbone = MobileBackbone(config.backbone)
        self.image_pool = Conv(blocks[-1].channels, width)
        self.point = Conv(blocks[-1].channels, width)
        self.pool_project = Conv(2 * width, width)
        self.fine = Conv(blocks[config.backbone.taps()[4]].wide, config.fine)
        self.decode = nn.Sequential(Separable(width + config.fine, width), Separable(width, width))
        self.classifier = Conv(width, config.classes, activation=None)

    def forward(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] RGB 0..1 -> class scores (logits) [B, classes, ceil(H / 4), ceil(W / 4)]."""
        return self.scores_and_features(images)[0]

    def scores_and_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores as `forward` gives them, and what the classifier reads, [B, width, ~H / 4, ~W / 4]."""
        x, inner = self.backbone((images * 255 - 128) / 128)
        pooled = self.image_pool(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        x = self.pool_project(torch.cat([pooled, self.point(x)], dim=1))
        features = self.decode(torch.cat([enlarged(x, 4, inner[4]), self.fine(inner[4])], dim=1))
        return self.classifier(features), features

    def tflite_scopes(self) -> dict[str, str]:
        """Module name -> scope of its weights in the published TFLite file, for every convolution."""
        scopes = dict(_SCOPES)
        for i, block in enumerate(self.backbone.blocks):
            for part in ("expand", "depthwise", "project"):
                if isinstance(getattr(block, part), Conv):
                    scopes[f"backbone.blocks.{i}.{part}"] = f"MobilenetV2/expanded_conv{f'_{i}' if i else ''}/{part}"
        return scopes
