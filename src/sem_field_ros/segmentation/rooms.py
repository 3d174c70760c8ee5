"""The network of `rooms`: MOSAIC as trained on photographs, and a second head that corrects it in other classes.

The second head's scores are the logarithm of the first head's probabilities, regrouped, plus a correction that is zero
before training: what photographs have taught is the start, not something to be learned again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, one_hot, relu

from sem_field_ros.errors import WeightsError
from sem_field_ros.segmentation import mosaic
from sem_field_ros.segmentation.mobile_backbone import Begun, Conv, Separable, enlarged
from sem_field_ros.segmentation.mosaic import MosaicConfig, MosaicMaps, MosaicNet

NETWORK = "mosaic_rooms"
_TINY = 1e-4  # probability added before logarithms in `divergence`
_LEAST = 1e-3  # probability every class of the second head keeps, for those the first head has no counterpart of


@dataclass(frozen=True)
class RoomsConfig:
    """What builds a RoomsNet: `first` is MOSAIC's with the first head's classes, `classes` the second head's."""

    first: MosaicConfig
    classes: int
    width: int = 96

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return {"network": NETWORK, "first": self.first.as_dict(), "classes": self.classes, "width": self.width}


def config_from_dict(content: Mapping[str, Any]) -> RoomsConfig:
    """Read RoomsConfig.as_dict. Raises WeightsError in one line."""
    try:
        first = mosaic.config_from_dict(content["first"])
        return RoomsConfig(first, int(content["classes"]), int(content["width"]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a segmenter with two heads: {error!r}") from error


class Correction(nn.Module):
    """MOSAIC's maps -> what is added to the second head's scores, zero before training."""

    def __init__(self, config: RoomsConfig) -> None:
        super().__init__()
        first, width = config.first, config.width
        wide = {stride: first.backbone.blocks[i].wide for stride, i in first.backbone.taps().items()}
        self.narrow = Conv(first.width + first.merged + wide[8], width)
        self.coarse = Separable(width, width, 5)
        self.fine = Conv(wide[4], width, activation=None)
        self.merge = Separable(width, width)
        self.classifier = Conv(width, config.classes, activation=None)
        for parameter in self.classifier.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: MosaicMaps) -> Tensor:
        """-> [B, classes, ceil(H / 4), ceil(W / 4)]"""
        x = self.coarse(self.narrow(torch.cat([maps.features, maps.pyramid, maps.eighth], dim=1)))
        return self.classifier(self.merge(relu(enlarged(x, 2, maps.fourth) + self.fine(maps.fourth))))


class RoomsNet(nn.Module):
    """RGB images in, class scores of the second head at 1/4 of their size out; cell (i, j) lies on pixel (4 i, 4 j)."""

    corner_strides = MosaicNet.corner_strides

    def __init__(self, config: RoomsConfig) -> None:
        super().__init__()
        self.config = config
        self.first = MosaicNet(config.first)
        self.correction = Correction(config)
        # [first classes, classes]: share of a first class that goes to each of the second head's; rows of sum 1
        self.register_buffer("shares", torch.full((config.first.classes, config.classes), 1 / config.classes))

    def forward(self, images: Tensor, both: bool = False, begun: Begun | None = None) -> Any:
        """images [B, 3, H, W] RGB 0..1 -> class scores (logits) [B, classes, ceil(H / 4), ceil(W / 4)].

        With `both`, those of the first head and of the second. `begun`: see MosaicNet.begin.
        """
        maps = self.first.maps(images, begun)
        return (maps.scores, self._second(maps)) if both else self._second(maps)

    def scores_and_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores as `forward` gives them, and MOSAIC's features, [B, width, ~H / 8, ~W / 8]."""
        maps = self.first.maps(images)
        return self._second(maps), maps.features

    def _second(self, maps: MosaicMaps) -> Tensor:
        shares = self.get_buffer("shares")
        known = torch.einsum("bchw,cd->bdhw", torch.softmax(maps.scores, dim=1), shares)
        return (known + _LEAST).log() + self.correction(maps)


def shares_of(assignment: Tensor) -> Tensor:
    """RoomsNet.shares of an assignment [C, D] of 0 and 1 (see regrouping.assignment).

    A first class without a counterpart goes to those of the D that none is assigned to, or to all.
    """
    free = assignment.sum(dim=0) == 0
    rest = free.float() if bool(free.any()) else torch.ones(assignment.shape[1])
    shares = torch.where((assignment.sum(dim=1) > 0)[:, None], assignment, rest)
    return shares / shares.sum(dim=1, keepdim=True)


def common_groups(assignment: Tensor, back: np.ndarray) -> tuple[Tensor, Tensor]:
    """What classes of the first head [C, G] and of the second [D, G] are compared in, of 0 and 1.

    A group is a class of the second head that a first class is assigned to; those of the second head that go `back`
    [D] to such a first class join it (a desk is a table to the first head); the last group is all the rest.
    """
    of_second = torch.where(assignment.sum(dim=0) > 0, torch.arange(assignment.shape[1]), assignment.shape[1])
    for d, c in enumerate(back.tolist()):
        if of_second[d] == assignment.shape[1] and c >= 0 and bool(assignment[c].any()):
            of_second[d] = int(assignment[c].argmax())
    rest = (assignment.sum(dim=1, keepdim=True) == 0).float()
    return torch.cat([assignment, rest], dim=1), one_hot(of_second, assignment.shape[1] + 1).float()


def divergence(found: Tensor, wanted: Tensor, groups: Tensor | None = None, of_wanted: Tensor | None = None) -> Tensor:
    """Kullback-Leibler divergence of probabilities `found` [B, D, h, w] from `wanted` [B, C, h, w] -> [B, h, w].

    With `groups` [D, G] and `of_wanted` [C, G] both are summed by group first.
    """
    if groups is not None and of_wanted is not None:
        found = torch.einsum("bdhw,dg->bghw", found, groups.to(found.device))
        wanted = torch.einsum("bchw,cg->bghw", wanted, of_wanted.to(wanted.device))
    return kl_div((found + _TINY).log(), wanted + _TINY, reduction="none").sum(dim=1)
