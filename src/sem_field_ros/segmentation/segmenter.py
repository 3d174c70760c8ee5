"""The 2-D segmenter protocol: a posed frame in, class probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet


@dataclass(frozen=True)
class ClassProbabilities:
    """Per-pixel class probabilities of one image, possibly at a lower resolution than the image.

    values    [C, h, w] float32. A pixel sums to 1, or to 0 if the segmenter makes no prediction; such pixels do not
              vote. The h x w grid covers the whole image (pixel areas scale: align_corners=False).
    features  [D, h', w'] image features for a learned fusion, None if the segmenter has none
    encoder   identifies the encoder of the features; a learned fusion reads those of one encoder only
    members   the predictions of several segmenters if `values` is their mean; each is a view of its own in a map
    """

    values: Tensor
    features: Tensor | None = None
    encoder: str = ""
    members: tuple[ClassProbabilities, ...] = ()

    def __post_init__(self) -> None:
        assert self.values.ndim == 3 and self.values.dtype == torch.float32, self.values.shape

    @property
    def views(self) -> tuple[ClassProbabilities, ...]:
        """What votes: the members, or this alone."""
        return self.members or (self,)

    def label_index(self) -> Tensor:
        """Most probable class per pixel, [h, w] int64; -1 where there is no prediction."""
        best, index = self.values.max(dim=0)
        return torch.where(best > 0, index, torch.full_like(index, -1))


@runtime_checkable
class Segmenter(Protocol):
    """A 2-D semantic segmenter. Created once (which loads its weights), then called for every keyframe."""

    labels: LabelSet  # the classes of the channels of ClassProbabilities

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame. Raises SegmenterError if it cannot."""
        ...
