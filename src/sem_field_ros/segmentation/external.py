"""Labels that come with the frame: another node's label image, or a data set's ground truth."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import interpolate

from sem_field_ros.data.label_noise import noisy_labels
from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.segmentation.segmenter import ClassProbabilities


class ExternalSegmenter:
    """Turns label images (ids of `source`) into probabilities over `labels`.

    A labelled pixel gives its class `certainty` and shares the rest among the others; unlabelled pixels and classes
    that `labels` has no counterpart for do not vote. The image is reduced to `label_width` by area, so that mixed cells
    get mixed probabilities. `noise_rate` spoils about that share of the pixels as a segmenter would (label_noise.py).
    """

    def __init__(
        self,
        labels: LabelSet,
        source: LabelSet | None = None,
        label_width: int = 160,
        certainty: float = 0.9,
        noise_rate: float = 0.0,
    ) -> None:
        if not 0 <= noise_rate < 1:
            raise SegmenterError(f"noise rate {noise_rate} must be at least 0 and below 1")
        if not 1 / len(labels) < certainty <= 1:
            raise SegmenterError(f"certainty {certainty} must lie above {1 / len(labels):.2f} and be at most 1")
        self.labels = labels
        self._source = source or labels
        self._regroup = np.append(self._source.regroup(labels), -1)  # the last: unlabelled stays unlabelled
        self._label_width = label_width
        self._certainty = certainty
        self._noise_rate = noise_rate

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Raises SegmenterError where the frame has no label image; ids that the label set has not do not vote."""
        if frame.labels is None:
            raise SegmenterError("segmenter 'external' needs a label image with every frame; none came with this one")
        given = frame.labels
        if self._noise_rate:
            given = noisy_labels(given, self._source.ids.tolist(), abs(frame.stamp_ns), self._noise_rate)
        source = self._source.to_index(given)
        index = torch.from_numpy(self._regroup[source].astype(np.int64))
        one_hot = torch.zeros(len(self.labels) + 1, *index.shape)
        one_hot.scatter_(0, torch.where(index < 0, len(self.labels), index)[None], 1.0)
        one_hot = one_hot[:-1]
        if index.shape[1] > self._label_width:
            height = max(1, round(index.shape[0] * self._label_width / index.shape[1]))
            one_hot = interpolate(one_hot[None], (height, self._label_width), mode="area")[0]
        share = one_hot.sum(dim=0, keepdim=True)
        seen = share > 0.5  # cells that are mostly unlabelled have no opinion
        rest = (1 - self._certainty) / max(len(self.labels) - 1, 1)
        values = one_hot / share.clamp(min=1e-6) * (self._certainty - rest) + rest
        return ClassProbabilities(torch.where(seen, values, 0.0))
