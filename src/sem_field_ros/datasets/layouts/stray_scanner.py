"""Reader of Stray Scanner's recordings: rgb.mp4 (or rgb/), depth/, confidence/, odometry.csv, camera_matrix.csv.

odometry.csv has `timestamp, frame, x, y, z, qx, qy, qz, qw` a frame, camera to world with optical axes. The matrix is
that of the colour images; depth/000000.png is 16-bit millimetres; confidence/000000.png is 0, 1 or 2: 0 is left out.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.datasets.file_sequence import FrameFiles
from sem_field_ros.datasets.files.names import IMAGES, numbered_files
from sem_field_ros.datasets.files.text import is_number, number, read_intrinsics, read_rows, stamp_ns
from sem_field_ros.datasets.image_files import read_labels
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, image_size_of
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import pose_from_quaternion

_VIDEO = "rgb.mp4"


class StrayScannerSequence(PosedFiles):
    """One recording. Raises DataError in one line."""

    layout = "Stray Scanner"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        self._video: cv2.VideoCapture | None = None
        self._confidence = numbered_files(path / "confidence", "", (".png",))
        colors = numbered_files(path / "rgb", "", IMAGES) or numbered_files(path / "frames", "", IMAGES)
        depths = numbered_files(path / "depth", "", (".png",))
        size = image_size_of(next(iter(colors.values()))) if colors else self._video_size(path / _VIDEO)
        K = read_intrinsics(path / "camera_matrix.csv")
        camera = Intrinsics.from_matrix(K, *size)
        frames, self._numbers = [], []
        rows = [row for row in read_rows(path / "odometry.csv") if is_number(row[0])]
        for row in rows:
            n = int(number(row[1], path / "odometry.csv")) if len(row) > 1 else -1
            if n not in depths or (colors and n not in colors):
                continue
            color = colors.get(n, path / _VIDEO)
            frames.append(
                PosedFile(color, depths[n], _pose(row, path), camera, stamp_ns(row[0], path / "odometry.csv"))
            )
            self._numbers.append(n)
        super().__init__(path, frames, start_s, duration_s, missing_files=len(rows) - len(frames))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a recording."""
        return (path / "odometry.csv").is_file() and (path / "camera_matrix.csv").is_file()

    def _video_size(self, path: Path) -> tuple[int, int]:
        video = cv2.VideoCapture(str(path)) if path.is_file() else None
        if video is None or not video.isOpened():
            raise DataError(f"{path} is missing or cannot be read as a video: extract its frames to rgb/000000.jpg ...")
        self._video = video
        return int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))

    def _color(self, files: FrameFiles) -> np.ndarray:
        if self._video is None:
            return super()._color(files)
        wanted = self._numbers[files.number]
        if int(self._video.get(cv2.CAP_PROP_POS_FRAMES)) != wanted:
            self._video.set(cv2.CAP_PROP_POS_FRAMES, wanted)
        there, image = self._video.read()
        if not there:
            raise DataError(f"{files.color}: frame {wanted} cannot be decoded")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def _depth(self, files: FrameFiles, camera: Intrinsics) -> np.ndarray | None:
        depth = super()._depth(files, camera)
        confidence = self._confidence.get(self._numbers[files.number])
        if depth is None or confidence is None:
            return depth
        sure = read_labels(confidence)
        return np.where(sure > 0, depth, np.float32(0)) if sure.shape == depth.shape else depth


def _pose(row: list[str], path: Path) -> np.ndarray:
    if len(row) < 9:
        raise DataError(
            f"{path / 'odometry.csv'}: expected timestamp, frame, x, y, z, qx, qy, qz, qw, got {len(row)} values"
        )
    values = [number(word, path / "odometry.csv") for word in row[2:9]]
    try:
        return pose_from_quaternion(np.array(values[:3]), np.array(values[3:]), f"odometry.csv frame {row[1]}")
    except FrameError as error:
        raise DataError(str(error)) from error
