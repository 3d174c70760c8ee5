"""Reader of 7-Scenes sequences (Shotton et al. 2013): frame-000000.color.png, .depth.png, .pose.txt in one folder.

Kinect pictures, 640x480 at 30 Hz; depth in millimetres, 65535 invalid; poses camera to world, optical axes. The data
set gives one camera for both images (focal length 585, principal point 320, 240); depth is not registered to colour,
so its edges are some pixels off. There are no labels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles, stamp_of_number
from sem_field_ros.datasets.files.text import read_pose
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.geometry.camera import Intrinsics

_CAMERA = Intrinsics(585.0, 585.0, 320.0, 240.0, 640, 480)


class SevenScenesSequence(FileSequence):
    """One sequence folder, as chess/seq-01. Raises DataError in one line."""

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        numbers = {int(file.name[6:12]) for file in path.glob("frame-??????.color.png") if file.name[6:12].isdecimal()}
        if not numbers:
            sequences = sorted(folder.name for folder in path.glob("seq-*") if folder.is_dir())
            what = f"name one sequence of it: {', '.join(sequences)}" if sequences else ""
            raise missing_data(path, "7scenes", what)
        stems = {number: path / f"frame-{number:06d}" for number in numbers}
        complete = {
            n: s for n, s in stems.items() if _part(s, "depth.png").is_file() and _part(s, "pose.txt").is_file()
        }
        timed = [
            (stamp_of_number(n), FrameFiles(n, stem.name, _part(stem, "color.png"), _part(stem, "depth.png")))
            for n, stem in complete.items()
        ]
        if not timed:
            raise missing_data(path, "7scenes", "no colour image has its .depth.png and .pose.txt")
        super().__init__(path, timed, None, start_s, duration_s, missing_files=len(numbers) - len(complete))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a sequence."""
        return any(path.glob("frame-??????.color.png"))

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        return _CAMERA.scaled(width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        return read_pose(self.path / f"{files.name}.pose.txt")


def _part(stem: Path, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}.{suffix}")
