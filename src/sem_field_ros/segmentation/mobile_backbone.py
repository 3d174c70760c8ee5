"""Encoders of inverted residuals (MobileNetV2, Sandler et al. 2018, and what was searched from it), without norms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate, pad, relu, relu6

from sem_field_ros.segmentation.backbone import SameConv

ACTIVATIONS = {"relu": relu, "relu6": relu6}


@dataclass(frozen=True)
class MobileBlock:
    """One inverted residual: `wide` channels inside, `channels` out."""

    kernel: int
    stride: int
    wide: int
    channels: int
    dilation: int = 1


@dataclass(frozen=True)
class MobileConfig:
    """Stem channels (stride 2), then the blocks; `activation` is relu or relu6."""

    stem: int
    blocks: tuple[MobileBlock, ...]
    activation: str = "relu"

    def taps(self) -> dict[int, int]:
        """Stride -> index of the last block that works at it (its wide channels are what decoders read)."""
        stride, last = 2, {}
        for i, block in enumerate(self.blocks):
            stride *= block.stride
            last[stride] = i
        return last


def mobile_config_from_dict(content: Mapping[str, Any]) -> MobileConfig:
    """Read what dataclasses.asdict makes of a MobileConfig. Raises KeyError, TypeError or ValueError."""
    fields = [f.name for f in dataclasses.fields(MobileBlock)]
    blocks = tuple(MobileBlock(**{name: int(block[name]) for name in fields}) for block in content["blocks"])
    activation = str(content["activation"])
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not one of {', '.join(ACTIVATIONS)}")
    return MobileConfig(int(content["stem"]), blocks, activation)


class Conv(SameConv):
    """Convolution with bias, then an activation by name (None: none)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        *,
        depthwise: bool = False,
        activation: str | None = "relu",
    ) -> None:
        groups = inputs if depthwise else 1
        super().__init__(inputs, outputs, kernel, stride, dilation=dilation, groups=groups)
        self._activate = ACTIVATIONS[activation] if activation else None

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w] -> [B, C', ceil(h / stride), ceil(w / stride)]
        y = super().forward(x)
        return self._activate(y, inplace=True) if self._activate else y


class Separable(nn.Module):
    """Depthwise k x k, then 1x1, an activation after each."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.depthwise = Conv(inputs, inputs, kernel, depthwise=True)
        self.pointwise = Conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w] -> [B, C', h, w]
        return self.pointwise(self.depthwise(x))


class InvertedResidual(nn.Module):
    """Expand 1x1 (where it widens), depthwise k x k, project 1x1; added to its input where the shapes agree."""

    def __init__(self, inputs: int, block: MobileBlock, activation: str) -> None:
        super().__init__()
        wide = block.wide
        self.expand = Conv(inputs, wide, activation=activation) if wide != inputs else nn.Identity()
        self.depthwise = Conv(
            wide, wide, block.kernel, block.stride, block.dilation, depthwise=True, activation=activation
        )
        self.project = Conv(wide, block.channels, activation=None)
        self._adds = block.stride == 1 and inputs == block.channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, C, h, w] -> the block's output [B, C', h', w'] and its depthwise map [B, wide, h', w']."""
        inner = self.depthwise(self.expand(x))
        y = self.project(inner)
        return (x + y if self._adds else y), inner


class Begun(NamedTuple):
    """An encoder's state after its first `blocks` blocks: their map, and the depthwise maps that decoders read."""

    x: Tensor
    inner: dict[int, Tensor]
    blocks: int


class MobileBackbone(nn.Module):
    """RGB in -1..1 -> the last block's map, and the depthwise maps of the last block at each stride."""

    def __init__(self, config: MobileConfig) -> None:
        super().__init__()
        self.stem = Conv(3, config.stem, 3, 2, activation=config.activation)
        blocks, channels = [], config.stem
        for block in config.blocks:
            blocks.append(InvertedResidual(channels, block, config.activation))
            channels = block.channels
        self.blocks = nn.ModuleList(blocks)
        self._taps = config.taps()

    def forward(self, x: Tensor, begun: Begun | None = None) -> tuple[Tensor, dict[int, Tensor]]:
        """x [B, 3, H, W] -> [B, C, H / 16, W / 16] (or the config's stride) and {stride: [B, wide, h, w]}.

        `begun` is what `begin` gave for x, by this net or by one whose first blocks have the same weights.
        """
        done = begun or self.begin(x, 0)
        done = self._run(done, len(self.blocks))
        return done.x, {stride: done.inner[i] for stride, i in self._taps.items()}

    def begin(self, x: Tensor, blocks: int) -> Begun:
        """Run the stem and the first `blocks` blocks on x [B, 3, H, W]."""
        return self._run(Begun(self.stem(x), {}, 0), blocks)

    def _run(self, done: Begun, end: int) -> Begun:
        x, inner = done.x, dict(done.inner)
        for i in range(done.blocks, end):
            x, inner[i] = self.blocks[i](x)
            inner = {k: v for k, v in inner.items() if k in self._taps.values()}  # the others need not stay in memory
        return Begun(x, inner, end)


def enlarged(x: Tensor, factor: int, like: Tensor) -> Tensor:
    """Bilinear as TensorFlow 1 did it: cell i of x lies on cell i * factor of the result, which is cut to fit `like`.

    x [B, C, h, w] -> [B, C, H, W], the size of `like`, at most `factor` times that of x.
    """
    height, width = (n * factor + 1 for n in x.shape[-2:])
    wider = interpolate(pad(x, (0, 1, 0, 1), mode="replicate"), (height, width), mode="bilinear", align_corners=True)
    return wider[..., : like.shape[-2], : like.shape[-1]]


def tiled(x: Tensor, stride: int, image: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Cells on pixels (i * stride, j * stride) of an image, resampled to cells that tile it (align_corners=False).

    x [B, C, h, w]; image and size (height, width) -> [B, C, *size]. Beyond the last cell its value goes on.
    """
    grids = []
    for cells, pixels, count in zip(x.shape[-2:], image, size, strict=True):
        pixel = (torch.arange(count, device=x.device) + 0.5) * pixels / count - 0.5
        grids.append((pixel / stride / max(cells - 1, 1) * 2 - 1).to(x.dtype))
    grid = torch.stack(torch.meshgrid(*grids, indexing="ij")[::-1], dim=-1)
    return grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=True, padding_mode="border")
