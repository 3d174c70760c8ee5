"""Common part of readers of recordings on disk: frames in the order of their stamps, cutting, counted drops."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet

DEFAULT_FPS = 30.0
NS = 1_000_000_000

Files = TypeVar("Files")  # a reader's record of a frame that is not read yet


class RecordedSequence(ABC, Generic[Files]):
    """A SequenceReader over files. Pictures are decoded when iterated; `drops` counts what was left out, by cause.

    times_known  whether the stamps are those of the recording; else they only count frames, DEFAULT_FPS a second
    """

    labels: LabelSet | None
    has_depth: bool
    has_labels: bool
    times_known = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.resolve().name
        self.drops: Counter[str] = Counter()
        self._frames: list[tuple[int, Files]] = []

    def _keep(self, timed: list[tuple[int, Files]], start_s: float, duration_s: float | None) -> None:
        """Take the frames (stamp_ns, files), at least one, that lie in [start, start + duration). Raises DataError."""
        self._frames = cut(sorted(timed, key=lambda item: item[0]), start_s, duration_s)
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
