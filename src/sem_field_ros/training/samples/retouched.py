"""A segmenter on images with changed appearance, as another camera or other light would give."""

from __future__ import annotations

from dataclasses import replace

from sem_field_ros.frame import PosedFrame
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter
from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.augmentation import random_appearance


class RetouchedSegmenter:
    """The predictions of a segmenter on copy number `copy` of sequence number `sequence`.

    In even copies all frames have the same change of light, colours, blur and noise (random_appearance), as from
    another camera. In odd copies every frame has its own, as with varying exposure and motion blur.
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
