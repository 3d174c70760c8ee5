"""Labels that come with the frame: another node's label image, or a data set's ground truth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.segmentation.label_noise import noisy_labels
from sem_field_ros.segmentation.segmenter import ClassProbabilities

_MIN_LABELLED = 0.5  # share of a cell that must be labelled for it to be labelled


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
        share = self._shares(self._regroup[self._source.to_index(given)])
        labelled = share.sum(dim=0, keepdim=True)
        rest = (1 - self._certainty) / max(len(self.labels) - 1, 1)
        values = share / labelled.clamp(min=1e-6) * (self._certainty - rest) + rest
        return ClassProbabilities(torch.where(labelled > _MIN_LABELLED, values, 0.0))

    def _shares(self, index: np.ndarray) -> Tensor:
        """Class indices [h, w] (-1 = none) -> share of each cell's pixels that each class has, [C, h', w']."""
        h, w = index.shape
        width = min(w, self._label_width)
        height = h if width == w else max(1, round(h * width / w))
        channels = len(self.labels) + 1  # the last counts the unlabelled
        cell = (np.arange(h) * height // h)[:, None] * width + np.arange(w) * width // w
        flat = cell * channels + np.where(index < 0, channels - 1, index)
        counts = np.bincount(flat.reshape(-1), minlength=height * width * channels).reshape(height, width, channels)
        shares = torch.from_numpy(counts.astype(np.float32)) / torch.from_numpy(counts.sum(-1, keepdims=True))
        return shares[..., :-1].permute(2, 0, 1).contiguous()
