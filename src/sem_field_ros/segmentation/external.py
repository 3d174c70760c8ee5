"""Labels that come with the frame: label images of another node, or ground truth of a data set."""

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

    The class of a labelled pixel gets the probability `certainty`, the other classes share the rest. Unlabelled pixels,
    and classes without a counterpart in `labels`, do not vote. The image is reduced to `label_width` by area, so mixed
    cells get mixed probabilities. With `noise_rate` about that share of the pixels is wrong (label_noise.py).
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
        self._regroup = np.append(self._source.regroup(labels), -1)  # the last is for unlabelled pixels
        self._label_width = label_width
        self._certainty = certainty
        self._noise_rate = noise_rate

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Convert the label image; ids outside the label set do not vote. Raises SegmenterError if there is none."""
        if frame.labels is None:
            raise SegmenterError("segmenter 'external' needs a label image with every frame; this one has none")
        given = frame.labels
        if self._noise_rate:
            given = noisy_labels(given, self._source.ids.tolist(), abs(frame.stamp_ns), self._noise_rate)
        share = self._shares(self._regroup[self._source.to_index(given)])
        labelled = share.sum(dim=0, keepdim=True)
        rest = (1 - self._certainty) / max(len(self.labels) - 1, 1)
        values = share / labelled.clamp(min=1e-6) * (self._certainty - rest) + rest
        return ClassProbabilities(torch.where(labelled > _MIN_LABELLED, values, 0.0))

    def _shares(self, index: np.ndarray) -> Tensor:
        """Class indices [h, w] (-1 = none) -> share of each class in the pixels of each cell, [C, h', w']."""
        h, w = index.shape
        width = min(w, self._label_width)
        height = h if width == w else max(1, round(h * width / w))
        channels = len(self.labels) + 1  # the last counts the unlabelled
        cell = (np.arange(h) * height // h)[:, None] * width + np.arange(w) * width // w
        flat = cell * channels + np.where(index < 0, channels - 1, index)
        counts = np.bincount(flat.reshape(-1), minlength=height * width * channels).reshape(height, width, channels)
        shares = torch.from_numpy(counts.astype(np.float32)) / torch.from_numpy(counts.sum(-1, keepdims=True))
        return shares[..., :-1].permute(2, 0, 1).contiguous()
