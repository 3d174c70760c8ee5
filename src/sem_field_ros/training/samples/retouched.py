"""A segmenter that is shown its images as another camera, in other light, would have taken them."""

from __future__ import annotations

from dataclasses import replace

from sem_field_ros.frame import PosedFrame
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter
from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.augmentation import random_appearance


class RetouchedSegmenter:
    """Copy number `copy` of what a segmenter says about sequence number `sequence`.

    Even copies: light, colours, blur and noise (random_appearance) are the same for all frames of the sequence, as with
    another camera. Odd ones: every frame has its own, as where exposure and motion blur change.
    """

    def __init__(self, segmenter: Segmenter, sequence: int, copy: int) -> None:
        self.labels = segmenter.labels
        self._segmenter, self._seed, self._per_frame = segmenter, (sequence, copy), copy % 2 == 1
        self._frames = 0

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """See Segmenter.segment."""
        self._frames += self._per_frame
        color = random_appearance(frame.color, 1.0, random_for(*self._seed, self._frames))
        return self._segmenter.segment(replace(frame, color=color))
