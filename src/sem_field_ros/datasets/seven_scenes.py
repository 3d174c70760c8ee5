"""Reader of 7-Scenes sequences (Shotton et al. 2013): frame-000000.color.png, .depth.png, .pose.txt in one folder.

Kinect pictures, 640x480 at 30 Hz; depth in millimetres, 65535 invalid; poses camera to world, optical axes. The data
set gives one camera for both images (focal length 585, principal point 320, 240); depth is not registered to colour,
so its edges are some pixels off. There are no labels.

BundleFusion's, ScanNet's C++ and tsdf-fusion's folders have the same files with a camera of their own: _info.txt or
info.txt (m_calibrationColorIntrinsic), or camera-intrinsics.txt beside or above.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.camera_stream.images import MILLIMETRES
from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles, stamp_of_number
from sem_field_ros.datasets.files.names import IMAGES, numbered_files
from sem_field_ros.datasets.files.text import read_intrinsics, read_pose, read_text
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics

_CAMERA = Intrinsics(585.0, 585.0, 320.0, 240.0, 640, 480)


class SevenScenesSequence(FileSequence):
    """One sequence folder, as chess/seq-01. Raises DataError in one line."""

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        numbers = numbered_files(path, "frame-", IMAGES, part=".color.")
        if not numbers:
            sequences = sorted(folder.name for folder in path.glob("seq-*") if folder.is_dir())
            what = f"name one sequence of it: {', '.join(sequences)}" if sequences else ""
            raise missing_data(path, "7scenes", what)
        stems = {n: path / file.name.partition(".")[0] for n, file in numbers.items()}
        complete = {
            n: s for n, s in stems.items() if _part(s, "depth.png").is_file() and _part(s, "pose.txt").is_file()
        }
        timed = [
            (stamp_of_number(n), FrameFiles(n, stem.name, numbers[n], _part(stem, "depth.png")))
            for n, stem in complete.items()
        ]
        if not timed:
            raise missing_data(path, "7scenes", "no colour image has its .depth.png and .pose.txt")
        super().__init__(path, timed, None, start_s, duration_s, missing_files=len(numbers) - len(complete))
        self._own, self.units_per_m = _find_camera(path)
        if self._own is None and not path.resolve().name.startswith("seq-"):
            self.notes.append(f"{path} has no camera-intrinsics.txt: the Kinect of 7-Scenes is assumed (fx 585 of 640)")

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a sequence."""
        return any(path.glob("frame-*.color.*"))

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        if self._own is not None and self._own[1] is None:
            return Intrinsics.from_matrix(self._own[0], width, height)
        camera = _CAMERA if self._own is None else Intrinsics.from_matrix(self._own[0], *(self._own[1] or (0, 0)))
        if abs(width * camera.height - height * camera.width) > max(width, height):
            raise DataError(
                f"{files.color} is {width}x{height}, another shape than its camera ({camera.width}x{camera.height}): "
                "give camera-intrinsics.txt"
            )
        return camera.scaled(width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        return read_pose(self.path / f"{files.name}.pose.txt")


def _find_camera(path: Path) -> tuple[tuple[np.ndarray, tuple[int, int] | None] | None, float]:
    """K of the colour camera and the image size it holds for (None: the images'), and the units of depth a metre."""
    near = path.resolve()
    for name in ("_info.txt", "info.txt"):
        if (path / name).is_file():
            return _read_info(path / name)
    for folder in (near, near.parent):
        if (folder / "camera-intrinsics.txt").is_file():
            return (read_intrinsics(folder / "camera-intrinsics.txt"), None), MILLIMETRES
    return None, MILLIMETRES


def _read_info(path: Path) -> tuple[tuple[np.ndarray, tuple[int, int]], float]:
    """Lines `m_name = value`."""
    pairs = (line.partition("=") for line in read_text(path).splitlines())
    values = {name.strip(): value.split() for name, _, value in pairs}
    try:
        K = np.array(values["m_calibrationColorIntrinsic"], dtype=np.float64).reshape(4, 4)[:3, :3]
        size = int(values["m_colorWidth"][0]), int(values["m_colorHeight"][0])
        return (K, size), float(values.get("m_depthShift", ["1000"])[0])
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"{path}: expected m_colorWidth, m_colorHeight, m_calibrationColorIntrinsic ({error!r})"
        ) from error


def _part(stem: Path, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}.{suffix}")
