"""A retouched segmenter: the images it passes on, and that they are reproducible."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from sem_field_ros.frame import PosedFrame
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.training.samples.retouched import DegradedSegmenter, RetouchedSegmenter
from tests.mapping.scene import LABELS, wall_frame


class Remembering:
    """A segmenter that keeps its images."""

    labels = LABELS

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        self.images.append(frame.color)
        return ClassProbabilities(torch.full((len(LABELS), 2, 2), 1.0 / len(LABELS)), LABELS)


def _shown(sequence: int, copy: int, frames: list[PosedFrame]) -> list[np.ndarray]:
    memory = Remembering()
    retouched = RetouchedSegmenter(memory, sequence, copy)
    assert retouched.labels is LABELS
    for frame in frames:
        retouched.segment(frame)
    return memory.images


def test_a_copy_is_the_same_each_time_and_unlike_the_others() -> None:
    frames = [wall_frame(0.1 * i, stamp_ns=i) for i in range(3)]
    before = [frame.color.copy() for frame in frames]
    first = _shown(0, 0, frames)
    for once, again in zip(first, _shown(0, 0, frames), strict=True):
        np.testing.assert_array_equal(once, again)
    for other in (_shown(0, 2, frames), _shown(1, 0, frames)):
        assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    for image, frame, kept in zip(first, frames, before, strict=True):
        assert image.shape == frame.color.shape and image.dtype == np.uint8
        np.testing.assert_array_equal(frame.color, kept, err_msg="the frame itself stays as it is")


def test_even_copies_look_alike_in_all_frames_odd_ones_do_not() -> None:
    frame = wall_frame(0.0)
    even, odd = _shown(3, 0, [frame, frame]), _shown(3, 1, [frame, frame])
    np.testing.assert_array_equal(even[0], even[1])
    assert not np.array_equal(odd[0], odd[1])


def test_degraded_images_have_lost_their_detail() -> None:
    rng = np.random.default_rng(0)
    frame = dataclasses.replace(wall_frame(0.0), color=rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    memory = Remembering()
    degraded = DegradedSegmenter(memory, 2)
    degraded.segment(frame)
    again = Remembering()
    DegradedSegmenter(again, 2).segment(frame)
    np.testing.assert_array_equal(memory.images[0], again.images[0])
    degraded.segment(frame)
    assert not np.array_equal(memory.images[0], memory.images[1]), "every frame has changes of its own"
    assert degraded.labels is LABELS and memory.images[0].shape == frame.color.shape
    assert memory.images[0].std() < 0.6 * frame.color.std(), "noise of single pixels is averaged"
