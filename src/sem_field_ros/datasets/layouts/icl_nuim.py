"""Reader of ICL-NUIM in TUM's layout (Handa et al. 2014): rgb/ and depth/ by associations.txt, NAME.gt.freiburg.

Depth has 5000 units a metre. The camera has a negative focal length in y (481.2, -480): its y axis points up, in a
left-handed world. Both are turned over in y, which gives optical axes and a right-handed world.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles
from sem_field_ros.datasets.tum import ASSOCIATIONS, Trajectory, read_pairs
from sem_field_ros.geometry.camera import Intrinsics

_CAMERA = Intrinsics(481.2, 480.0, 319.5, 239.5, 640, 480)
_OVER = np.diag([1.0, -1, 1, 1])


class IclNuimSequence(PosedFiles):
    """One sequence, as living_room_traj0_frei_png. Raises DataError in one line."""

    layout = "ICL-NUIM"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        colors, depths = read_pairs(path)
        trajectory = Trajectory(next(iter(sorted(path.glob("*.gt.freiburg")))))
        frames = []
        for (number, color), (_, depth) in zip(colors, depths, strict=True):
            T = trajectory.at(number)  # times are frame numbers
            if T is not None and (path / color).is_file() and (path / depth).is_file():
                frames.append(PosedFile(path / color, path / depth, _OVER @ T @ _OVER, _CAMERA))
        missing = len(colors) - len(frames)
        super().__init__(path, frames, start_s, duration_s, units_per_m=5000.0, missing_files=missing)

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a sequence."""
        return (path / ASSOCIATIONS).is_file() and any(path.glob("*.gt.freiburg"))
