"""Reader of Redwood's and Open3D's recordings (Choi et al. 2015): color or rgb/, depth/, trajectory.log, camera.json.

The k-th pose of trajectory.log, camera to world with optical axes, belongs to the k-th image; depth is 16-bit
millimetres. camera.json (Open3D's, also intrinsic.json, camera_primesense.json) has width, height and intrinsic_matrix
column by column; without it the camera is a PrimeSense (525 of 640x480).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.files.text import read_json
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, color_folder, images_of
from sem_field_ros.datasets.scenenn import read_trajectory_log
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics

_PRIMESENSE = Intrinsics(525.0, 525.0, 319.5, 239.5, 640, 480)
_TRAJECTORIES = ("trajectory.log", "scene/trajectory.log")
_CAMERAS = ("camera.json", "intrinsic.json", "camera_primesense.json", "camera_intrinsic.json")


class RedwoodSequence(PosedFiles):
    """One recording. Raises DataError in one line."""

    layout = "Redwood"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        poses = read_trajectory_log(next(path / name for name in _TRAJECTORIES if (path / name).is_file()))
        colors = images_of(color_folder(path) or path)
        depths = images_of(path / "depth", suffixes=(".png",))
        if len(colors) != len(depths):
            raise DataError(f"{path} has {len(colors)} colour and {len(depths)} depth images: they must be pairs")
        camera = _find_camera(path)
        files = zip(colors, depths, poses, strict=False)
        frames = [PosedFile(color, depth, T, camera or _PRIMESENSE) for color, depth, T in files]
        super().__init__(path, frames, start_s, duration_s, missing_files=len(colors) - len(frames))
        if camera is None:
            self.notes.append(f"{path} has no {_CAMERAS[0]}: the camera of a PrimeSense is assumed (fx 525 of 640)")

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a recording."""
        trajectory = any((path / name).is_file() for name in _TRAJECTORIES)
        return trajectory and (path / "depth").is_dir() and color_folder(path) is not None


def _find_camera(path: Path) -> Intrinsics | None:
    file = next((path / name for name in _CAMERAS if (path / name).is_file()), None)
    if file is None:
        return None
    content = read_json(file)
    try:
        K = np.array(content["intrinsic_matrix"], dtype=np.float64).reshape(3, 3).T
        return Intrinsics.from_matrix(K, int(content["width"]), int(content["height"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: expected width, height and intrinsic_matrix ({error!r})") from error
