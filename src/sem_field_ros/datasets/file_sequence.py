"""Common part of readers of data sets with one file per image: cameras, poses, depth units, labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sem_field_ros.camera_stream.images import MILLIMETRES, depth_in_metres
from sem_field_ros.datasets.files.text import NS
from sem_field_ros.datasets.image_files import read_color, read_depth, read_labels
from sem_field_ros.datasets.recorded_sequence import DEFAULT_FPS, RecordedSequence
from sem_field_ros.errors import FrameError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet

_SAME_PIXEL = 0.5  # cameras whose image corners agree to half a pixel are equal


@dataclass(frozen=True)
class FrameFiles:
    """The parts of one frame; `number` is its place in the recording."""

    number: int
    name: str
    color: Path
    depth: Path | None = None
    labels: Path | None = None


class FileSequence(RecordedSequence[FrameFiles]):
    """A RecordedSequence. The reader of a format lists its frames and reads their cameras and poses."""

    units_per_m = MILLIMETRES  # of the depth images

    def __init__(
        self,
        path: Path,
        timed: list[tuple[int, FrameFiles]],
        labels: LabelSet | None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        *,
        missing_files: int = 0,
    ) -> None:
        """`timed`: (stamp_ns, files) of each frame; `missing_files`: images without their other files."""
        super().__init__(path)
        if missing_files:
            self.drops["missing_files"] = missing_files
        self.labels = labels
        self.has_labels = labels is not None and any(files.labels is not None for _, files in timed)
        self.has_depth = any(files.depth is not None for _, files in timed)
        self.times_known = any(stamp != stamp_of_number(files.number) for stamp, files in timed)
        self._keep(timed, start_s, duration_s)

    def read(self, index: int) -> PosedFrame:
        """Read one frame. Raises DataError or FrameError in one line."""
        stamp, files = self._frames[index]
        color = self._color(files)
        try:
            camera = self._camera(files, color.shape[1], color.shape[0])
            depth = self._depth(files, camera)
            labels = self._labels_or_none(files.name, lambda: self._labels(files))
            return PosedFrame(stamp, color, camera, self._pose(files), depth, labels, files.name)
        except FrameError as error:
            raise FrameError(f"frame {files.name}: {error}", error.cause) from error

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether a file or folder has this format, by its content."""
        raise NotImplementedError

    # -- what a format may override ------------------------------------------------------------------------------

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        """Intrinsics of the colour image."""
        raise NotImplementedError

    def _pose(self, files: FrameFiles) -> np.ndarray:
        """T_world_camera of the colour camera, optical axes, metres."""
        raise NotImplementedError

    def _color(self, files: FrameFiles) -> np.ndarray:
        return read_color(files.color)

    def _depth(self, files: FrameFiles, camera: Intrinsics) -> np.ndarray | None:
        return None if files.depth is None else depth_in_metres(read_depth(files.depth), self.units_per_m)

    def _labels(self, files: FrameFiles) -> np.ndarray | None:
        return None if files.labels is None else read_labels(files.labels)


def stamp_of_number(number: int, fps: float = DEFAULT_FPS) -> int:
    """Time stamp in nanoseconds of a frame without one, from its number; never 0."""
    return round((number + 1) * NS / fps)


def seen_from(depth: np.ndarray, own: Intrinsics, color: Intrinsics) -> np.ndarray:
    """Resample a depth image to the pixel grid of the colour camera at the depth image's size, nearest neighbours.

    `own` are the depth camera's intrinsics; both cameras are assumed to be in one place (registered depth).
    """
    own = own.scaled(depth.shape[1], depth.shape[0])
    target = color.scaled(depth.shape[1], depth.shape[0])
    u = (np.arange(target.width) - target.cx) / target.fx * own.fx + own.cx
    v = (np.arange(target.height) - target.cy) / target.fy * own.fy + own.cy
    shift = max(abs(u[0]), abs(u[-1] - u.size + 1), abs(v[0]), abs(v[-1] - v.size + 1))
    if shift <= _SAME_PIXEL:
        return depth
    columns = np.clip(np.rint(u), -1, own.width).astype(int)
    rows = np.clip(np.rint(v), -1, own.height).astype(int)
    inside = ((rows >= 0) & (rows < own.height))[:, None] & ((columns >= 0) & (columns < own.width))
    picked = depth[np.clip(rows, 0, own.height - 1)][:, np.clip(columns, 0, own.width - 1)]
    return np.where(inside, picked, 0)
