"""Reader of folders with images (color/, rgb/, images/), depth/, K.txt and poses.txt, as DeepVideoMVS has them.

poses.txt has 16 (or 12) numbers a frame, camera to world with optical axes; depth is 16-bit millimetres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.files.text import read_intrinsics, read_numbers
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, color_folder, image_size_of, images_of
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics

_K, _POSES = ("K.txt", "intrinsics.txt"), "poses.txt"


class PosesAndK(PosedFiles):
    """One folder. Raises DataError in one line."""

    layout = "poses.txt and K.txt"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        colors, depths = images_of(color_folder(path) or path), images_of(path / "depth", suffixes=(".png",))
        poses = _read_poses(path / _POSES, len(colors))
        if depths and len(depths) != len(colors):
            raise DataError(f"{path} has {len(colors)} colour and {len(depths)} depth images: they must be pairs")
        K = read_intrinsics(next(path / name for name in _K if (path / name).is_file()))
        camera = Intrinsics.from_matrix(K, *image_size_of(colors[0]))
        frames = [PosedFile(c, depths[n] if depths else None, poses[n], camera) for n, c in enumerate(colors)]
        super().__init__(path, frames, start_s, duration_s)

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this is such a folder."""
        files = (path / _POSES).is_file() and any((path / name).is_file() for name in _K)
        return files and color_folder(path) is not None


def _read_poses(path: Path, count: int) -> np.ndarray:
    """[N, 4, 4]."""
    values = read_numbers(path)
    if values.size == 16 * count:
        return values.reshape(-1, 4, 4)
    if values.size == 12 * count:
        last = np.tile([[0.0, 0, 0, 1]], (count, 1, 1))
        return np.concatenate([values.reshape(-1, 3, 4), last], axis=1)
    raise DataError(f"{path} has {values.size} numbers for {count} images: expected 16 or 12 an image")
