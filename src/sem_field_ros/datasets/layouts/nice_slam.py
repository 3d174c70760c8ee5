"""Reader of Replica as rendered for iMAP and NICE-SLAM: results/frame000000.jpg, depth000000.png and traj.txt.

traj.txt has 16 numbers a frame, camera to world with optical axes. The camera and the units of depth stand in
cam_params.json beside the scene or above it; without it they are those of the data set (1200x680, 6553.5 a metre).
"""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.datasets.files.names import IMAGES, numbered_files
from sem_field_ros.datasets.files.text import read_json
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles
from sem_field_ros.datasets.replica import read_trajectory
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics

_CAMERA, _UNITS_PER_M = Intrinsics(600.0, 600.0, 599.5, 339.5, 1200, 680), 6553.5


class NiceSlamSequence(PosedFiles):
    """One scene, as room0. Raises DataError in one line."""

    layout = "NICE-SLAM's Replica"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        poses = read_trajectory(path / "traj.txt")
        colors = numbered_files(path / "results", "frame", IMAGES)
        depths = numbered_files(path / "results", "depth", (".png",))
        camera, units = _find_camera(path)
        frames = [
            PosedFile(color, depths[n], poses[n], camera)
            for n, color in colors.items()
            if n in depths and n < len(poses)
        ]
        missing = len(colors) - len(frames)
        super().__init__(path, frames, start_s, duration_s, units_per_m=units, missing_files=missing)

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a scene."""
        return (path / "traj.txt").is_file() and (path / "results").is_dir()


def _find_camera(path: Path) -> tuple[Intrinsics, float]:
    near = path.resolve()
    file = next((p for p in (near / "cam_params.json", near.parent / "cam_params.json") if p.is_file()), None)
    if file is None:
        return _CAMERA, _UNITS_PER_M
    try:
        values = read_json(file)["camera"]
        fx, fy, cx, cy = (float(values[name]) for name in ("fx", "fy", "cx", "cy"))
        return Intrinsics(fx, fy, cx, cy, int(values["w"]), int(values["h"])), float(values["scale"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: expected camera with w h fx fy cx cy scale ({error!r})") from error
