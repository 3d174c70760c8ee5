"""Keeps parts of a pretrained encoder as they are while the rest is trained."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import batch_norm

from sem_field_ros.segmentation.backbone import Backbone


class FrozenNorm(nn.Module):
    """A BatchNorm2d that keeps its running statistics; scale and shift are still learned, under the same names."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        for name, value in norm.named_buffers():
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w] -> the same
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


def freeze_norm(module: nn.Module) -> None:
    """Replace every BatchNorm2d below `module` by a FrozenNorm, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenNorm(child))
        else:
            freeze_norm(child)


def freeze_first(backbone: Backbone, blocks: int) -> None:
    """Do not train the stem and the first `blocks` blocks; with 0 everything is trained."""
    if blocks:
        for module in (backbone.conv_stem, backbone.bn0, *backbone.blocks[:blocks]):
            module.requires_grad_(False)
