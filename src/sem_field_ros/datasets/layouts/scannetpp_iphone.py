"""Reader of ScanNet++'s iPhone frames (Yeshwanth et al. 2023): iphone/rgb, iphone/depth and pose_intrinsic_imu.json.

The toolkit extracts rgb/frame_000000.jpg and depth/frame_000000.png (16-bit millimetres). For each frame the JSON file
has `aligned_pose` (or `pose`), camera to world with optical axes, and `intrinsic` of the colour image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.files.names import files_by_stem
from sem_field_ros.datasets.files.text import read_json, stamp_ns
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, image_size_of, images_of
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import check_pose

_POSES = "pose_intrinsic_imu.json"


class ScanNetPPIphone(PosedFiles):
    """A scene, or its folder iphone/. Raises DataError in one line."""

    layout = "ScanNet++ (iPhone)"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        folder = _folder(Path(path))
        content = read_json(folder / _POSES)
        depths = files_by_stem(folder / "depth", (".png",))[0]
        colors = images_of(folder / "rgb")
        frames = [
            _frame(color, depths.get(color.stem), content[color.stem], folder / _POSES)
            for color in colors
            if color.stem in content and (color.stem in depths or not depths)
        ]
        super().__init__(folder, frames, start_s, duration_s, missing_files=len(colors) - len(frames))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a scene."""
        return (_folder(path) / _POSES).is_file()


def _folder(path: Path) -> Path:
    return path / "iphone" if (path / "iphone").is_dir() else path


def _frame(color: Path, depth: Path | None, values: dict, file: Path) -> PosedFile:
    try:
        pose = np.array(values.get("aligned_pose") or values["pose"], dtype=np.float64)
        K = np.array(values["intrinsic"], dtype=np.float64)
        stamp = stamp_ns(str(values["timestamp"]), file) if "timestamp" in values else None
        T = check_pose(pose, f"{file}: pose of {color.stem}")
        camera = Intrinsics.from_matrix(K, *image_size_of(color))
    except FrameError as error:
        raise DataError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{file}: {color.stem} needs pose (4x4) and intrinsic (3x3) ({error!r})") from error
    return PosedFile(color, depth, T, camera, stamp)
