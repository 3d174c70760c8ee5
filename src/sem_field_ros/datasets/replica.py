"""Reader of Replica as rendered for Semantic-NeRF (Zhi et al. 2021): rgb/, depth/, semantic_class/, traj_w_c.txt.

Pictures rgb_0.png ...; depth in millimetres; camera-to-world poses with optical axes, a row of 16 numbers a frame. The
camera is 90 degrees wide: focal length width / 2, principal point in the middle. Label ids are Replica's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles, stamp_of_number
from sem_field_ros.datasets.files.names import IMAGES, numbered_files
from sem_field_ros.datasets.files.text import read_numbers
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set

DEFAULT_LABEL_SET = "replica19"


class ReplicaSequence(FileSequence):
    """One rendered sequence, as room_0/Sequence_1. Raises DataError in one line."""

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        colors = numbered_files(path / "rgb", "rgb_", IMAGES)
        if not colors or not (path / "traj_w_c.txt").is_file():
            raise missing_data(path, "replica")
        self._poses = read_trajectory(path / "traj_w_c.txt")
        depths = numbered_files(path / "depth", "depth_", (".png",))
        labels = numbered_files(path / "semantic_class", "semantic_class_", (".png",))
        timed = [
            (stamp_of_number(n), FrameFiles(n, color.stem, color, depths.get(n), labels.get(n)))
            for n, color in colors.items()
            if n < len(self._poses) and (n in depths or not depths)
        ]
        if not timed:
            raise DataError(f"{path}: no rgb_N.png has its depth_N.png and its row of traj_w_c.txt")
        known = load_label_set(label_set or DEFAULT_LABEL_SET) if labels else None
        super().__init__(path, timed, known, start_s, duration_s, missing_files=len(colors) - len(timed))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a sequence."""
        return (path / "traj_w_c.txt").is_file()

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        return Intrinsics(width / 2, width / 2, (width - 1) / 2, (height - 1) / 2, width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        return self._poses[files.number]


def read_trajectory(path: Path) -> np.ndarray:
    """4x4 matrices, 16 numbers each, [N, 4, 4]. Raises DataError."""
    values = read_numbers(path)
    if values.size == 0 or values.size % 16:
        raise DataError(f"{path} has {values.size} numbers: expected rows of 16, a 4x4 matrix each")
    return values.reshape(-1, 4, 4)
