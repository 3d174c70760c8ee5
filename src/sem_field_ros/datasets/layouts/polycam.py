"""Reader of Polycam's raw export: keyframes/images, depth and cameras (the corrected_ ones if there are).

cameras/NAME.json has fx fy cx cy width height and t_00 ... t_23, the rows of camera to world with OpenGL axes, y up;
depth/NAME.png is 16-bit millimetres. The world is turned so that z is up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.files.names import files_by_stem
from sem_field_ros.datasets.files.text import NS, read_json
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, images_of
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import T_OPTICAL_OPENGL, check_pose

T_UP_Z_UP_Y = np.array([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # y up -> z up


class PolycamSequence(PosedFiles):
    """A folder with keyframes/. Raises DataError in one line."""

    layout = "Polycam (raw data)"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        keyframes = Path(path) / "keyframes"
        kind = "corrected_" if (keyframes / "corrected_cameras").is_dir() else ""
        colors = images_of(keyframes / f"{kind}images")
        cameras = files_by_stem(keyframes / f"{kind}cameras", (".json",))[0]
        depths = files_by_stem(keyframes / "depth", (".png",))[0]
        frames = [
            _frame(color, depths.get(color.stem), cameras[color.stem])
            for color in colors
            if color.stem in cameras and (color.stem in depths or not depths)
        ]
        super().__init__(Path(path), frames, start_s, duration_s, missing_files=len(colors) - len(frames))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such an export."""
        return any((path / "keyframes" / name).is_dir() for name in ("cameras", "corrected_cameras"))


def _frame(color: Path, depth: Path | None, file: Path) -> PosedFile:
    content = read_json(file)
    try:
        rows = [[float(content[f"t_{row}{column}"]) for column in range(4)] for row in range(3)]
        T = check_pose(np.vstack([rows, (0, 0, 0, 1)]), str(file))
        fx, fy, cx, cy = (float(content[name]) for name in ("fx", "fy", "cx", "cy"))
        camera = Intrinsics(fx, fy, cx - 0.5, cy - 0.5, int(content["width"]), int(content["height"]))
    except FrameError as error:
        raise DataError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: expected fx fy cx cy width height and t_00 ... t_23 ({error!r})") from error
    stamp = int(file.stem) * 1000 if file.stem.isdecimal() and int(file.stem) > NS else None  # names are microseconds
    return PosedFile(color, depth, T_UP_Z_UP_Y @ T @ T_OPTICAL_OPENGL, camera, stamp)
