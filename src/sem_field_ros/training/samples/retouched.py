"""Segmenters on images with changed appearance, as another camera, other light or a bad image would give."""

from __future__ import annotations

from dataclasses import replace

import cv2

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


class DegradedSegmenter:
    """The predictions of a segmenter on images far worse than its training saw: it errs even on scenes it knows.

    Every frame of sequence number `sequence` is reduced to a third to an eighth of its size and back, and retouched
    twice.
    """

    def __init__(self, segmenter: Segmenter, sequence: int) -> None:
        self.labels = segmenter.labels
        self._segmenter, self._sequence, self._frames = segmenter, sequence, 0

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """See Segmenter.segment."""
        self._frames += 1
        rng = random_for(self._sequence, self._frames, 17)
        height, width = frame.color.shape[:2]
        factor = rng.uniform(3, 8)
        small = cv2.resize(frame.color, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
        color = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        for _ in range(2):
            color = random_appearance(color, 1.8, rng)
        return self._segmenter.segment(replace(frame, color=color))
