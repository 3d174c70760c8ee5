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

    values  [C, h, w] float32. A pixel sums to 1, or to 0 where the segmenter gives no prediction (such pixels do not
            vote). The h x w grid covers the whole image (pixel areas scale: align_corners=False).
    features [D, h', w'] image features for a learned vote, None where the segmenter has none or nobody asked
    encoder  whose features these are: a vote learned with those of one encoder cannot read another's
    members  what several segmenters said, where `values` is their mean: each is a view of its own for the map's vote
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
    """A 2-D semantic segmenter. Made once (heavy, fails early and clearly), then called for every keyframe."""

    labels: LabelSet  # what the channels of ClassProbabilities mean

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame. Raises SegmenterError with one clear line where it cannot."""
        ...
