"""Common part of readers of recordings on disk: frames in the order of their stamps, cutting, counted drops."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from sem_field_ros.datasets.files.text import NS
from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet

DEFAULT_FPS = 30.0
LAST_STAMP_NS = 2**31 * NS  # seconds are an int32 in ROS

Files = TypeVar("Files")  # a reader's record of a frame that is not read yet


class RecordedSequence(ABC, Generic[Files]):
    """A SequenceReader over files. Pictures are decoded when iterated; `drops` counts what was left out, by cause.

    times_known     whether the stamps are those of the recording; else they only count frames, DEFAULT_FPS a second
    notes           what was assumed, a line each, for the user to judge
    label_problems  by frame: why its label image cannot be used; the frame is read without labels
    """

    labels: LabelSet | None
    has_depth: bool
    has_labels: bool
    times_known = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.resolve().name
        self.drops: Counter[str] = Counter()
        self.notes: list[str] = []
        self.label_problems: dict[str, str] = {}
        self._frames: list[tuple[int, Files]] = []

    def _keep(self, timed: list[tuple[int, Files]], start_s: float, duration_s: float | None) -> None:
        """Take the frames (stamp_ns, files), at least one, that lie in [start, start + duration). Raises DataError.

        Stamps that begin at or before zero, which is no time in ROS, are moved so that they begin at one second.
        """
        timed = sorted(timed, key=lambda item: item[0])
        first, last = timed[0][0], timed[-1][0]
        if last >= LAST_STAMP_NS:
            raise DataError(f"{self.path}: a frame has the stamp {last / NS:.0f} s, after 2038: give stamps in seconds")
        moved = NS - first if first <= 0 else 0
        self._frames = cut([(stamp + moved, files) for stamp, files in timed], start_s, duration_s)
        if not self._frames:
            raise DataError(f"{self.path}: no frame between start_s={start_s} and the end of duration_s={duration_s}")

    @property
    def skipped(self) -> int:
        """How many colour images were left out."""
        return self.drops.total()

    @property
    def stamps_ns(self) -> list[int]:
        """Time stamps of the frames, nanoseconds."""
        return [stamp for stamp, _ in self._frames]

    def _labels_or_none(self, name: str, read: Callable[[], np.ndarray | None]) -> np.ndarray | None:
        """The labels of a frame; where they cannot be read, None, and noted: they must not cost its geometry."""
        try:
            return read()
        except DataError as error:
            self.label_problems[name] = str(error)
            return None

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[PosedFrame]:
        return map(self.read, range(len(self)))  # continues after a frame that cannot be read, unlike a generator

    @abstractmethod
    def read(self, index: int) -> PosedFrame:
        """Read one frame. Raises DataError or FrameError in one line."""


def cut(timed: list[tuple[int, Files]], start_s: float, duration_s: float | None) -> list[tuple[int, Files]]:
    """Keep frames in [start, start + duration) after the first stamp; `timed` is sorted (stamp_ns, anything)."""
    begin = timed[0][0] + round(start_s * NS)
    end = math.inf if duration_s is None else begin + round(duration_s * NS)
    return [item for item in timed if begin <= item[0] < end]
