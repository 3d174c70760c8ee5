"""Samples for the training of a segmenter: augmented crops of labelled images, those with rare classes more often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.augmentation import AugmentationConfig, augment
from sem_field_ros.training.samples.labelled_frames import DrawOrder, LabelledFrame


class AugmentedCrops:
    """Image [3, h, w] uint8 RGB and class index [h, w] int8 per sample; `factors` [N]: see repeat_factors."""

    def __init__(
        self, frames: Sequence[LabelledFrame], factors: np.ndarray, augmentation: AugmentationConfig, seed: int
    ) -> None:
        self._frames, self._augmentation, self._seed = frames, augmentation, seed
        self._order = DrawOrder(factors, seed)

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        frame = self._frames[self._order.frame_of(n)]
        color, index = augment(frame.color, frame.index, self._augmentation, random_for(self._seed, 0, n))
        return torch.from_numpy(color).permute(2, 0, 1), torch.from_numpy(index)

    def collate(self, samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Images [B, 3, h, w] and class indices [B, h, w]."""
        return torch.stack([color for color, _ in samples]), torch.stack([index for _, index in samples])
