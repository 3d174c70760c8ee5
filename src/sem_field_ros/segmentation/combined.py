"""Several segmenters as one: their mean for images, the predictions of each for the map's votes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch.nn.functional import interpolate

from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.segmentation.regrouping import RegroupedSegmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter


class CombinedSegmenter:
    """Runs every member and converts the predictions into one label set, `labels` or the first member's.

    `segment` gives the members' mean, with the prediction of each in `members`: views of their own for the map.
    Features are the first member's. Raises SegmenterError where a member has no class in common with the label set.
    """

    def __init__(self, members: Sequence[Segmenter], labels: LabelSet | None = None) -> None:
        assert members, "nothing to combine"
        self.labels = labels or members[0].labels
        self.encoder = str(getattr(members[0], "encoder", ""))
        self._members = [
            member if member.labels.has_classes_of(self.labels) else RegroupedSegmenter(member, self.labels)
            for member in members
        ]

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """See Segmenter.segment."""
        return mean_of([member.segment(frame) for member in self._members])


def mean_of(members: Sequence[ClassProbabilities]) -> ClassProbabilities:
    """The mean at the first one's size, of those with a prediction at a pixel; none where no member has one."""
    first = members[0]
    size = first.values.shape[-2:]
    total = torch.stack([_at_size(member, size) for member in members]).sum(dim=0)
    values = total / total.sum(dim=0, keepdim=True).clamp(min=1e-6)
    return dataclasses.replace(first, values=values, members=tuple(members))


def _at_size(member: ClassProbabilities, size: torch.Size) -> torch.Tensor:
    values = member.values
    if values.shape[-2:] == size:
        return values
    return interpolate(values[None], tuple(size), mode="bilinear", antialias=True)[0].clamp(min=0)
