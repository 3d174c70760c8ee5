"""Reader of ARKitScenes' raw low-resolution frames (Baruch et al. 2021): lowres_wide/, lowres_depth/, lowres_wide.traj.

Names are ID_SECONDS.png. lowres_wide_intrinsics/ID_SECONDS.pincam has `w h fx fy cx cy`; lowres_wide.traj lines
`seconds rx ry rz tx ty tz`, world to camera with optical axes, the rotation as an axis times its angle. Depth is 16-bit
millimetres. A pose belongs to the images whose times differ by less than half a frame.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.datasets.files.names import files_by_stem
from sem_field_ros.datasets.files.text import NS, number, read_numbers, read_rows, stamp_ns
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, images_of
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import inverse

_NEAR_NS = NS // 120


class ArkitScenesSequence(PosedFiles):
    """One video of the raw data set. Raises DataError in one line."""

    layout = "ARKitScenes"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        stamps, poses = _read_trajectory(path / "lowres_wide.traj")
        cameras = files_by_stem(path / "lowres_wide_intrinsics", (".pincam",))[0]
        depths = files_by_stem(path / "lowres_depth", (".png",))[0]
        colors, frames = images_of(path / "lowres_wide"), []
        for color in colors:
            stamp = stamp_ns(color.stem.rpartition("_")[2], color)
            near = int(np.abs(stamps - stamp).argmin())
            if color.stem in cameras and color.stem in depths and abs(int(stamps[near]) - stamp) <= _NEAR_NS:
                frames.append(PosedFile(color, depths[color.stem], poses[near], _camera(cameras[color.stem]), stamp))
        super().__init__(path, frames, start_s, duration_s, missing_files=len(colors) - len(frames))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a video."""
        return (path / "lowres_wide").is_dir() and (path / "lowres_wide.traj").is_file()


def _camera(path: Path) -> Intrinsics:
    values = read_numbers(path)
    if values.size != 6:
        raise DataError(f"{path} has {values.size} numbers: expected w h fx fy cx cy")
    fx, fy, cx, cy = (float(value) for value in values[2:])
    return Intrinsics(fx, fy, cx, cy, int(values[0]), int(values[1]))


def _read_trajectory(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Times in nanoseconds, T_world_camera of each."""
    rows = read_rows(path)
    if not rows or any(len(row) != 7 for row in rows):
        raise DataError(f"{path}: expected lines 'seconds rx ry rz tx ty tz'")
    poses = []
    for row in rows:
        T_camera_world = np.eye(4)
        values = np.array([number(word, path) for word in row[1:]])
        T_camera_world[:3, :3], T_camera_world[:3, 3] = cv2.Rodrigues(values[:3])[0], values[3:]
        poses.append(inverse(T_camera_world))
    return np.array([stamp_ns(row[0], path) for row in rows]), poses
