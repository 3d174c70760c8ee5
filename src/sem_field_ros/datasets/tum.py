"""Reader of TUM RGB-D sequences (Sturm et al. 2012): rgb.txt, depth.txt and groundtruth.txt, associated by time.

Colour, depth (5000 units a metre, registered to colour) and poses have their own clocks: a frame is a colour image, the
depth image nearest in time and the camera's pose between its two nearest neighbours. Poses are camera to world with
optical axes (tx ty tz qx qy qz qw). The lens distortion of freiburg1 and freiburg2 is corrected.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles, depth_in_metres
from sem_field_ros.datasets.image_files import read_color, read_depth
from sem_field_ros.datasets.recorded_sequence import NS
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import interpolate, pose_from_quaternion

MAX_DIFFERENCE_S = 0.02  # between a colour and its depth image, as in the data set's own tool
_MAX_POSE_GAP_S = 0.1  # between the two poses around a frame

# calibrated colour cameras by the recording place in the folder's name: fx fy cx cy, k1 k2 p1 p2 k3
_CAMERAS = {
    "1": ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "2": ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "3": ((535.4, 539.2, 320.1, 247.6), None),
}
_OTHER_CAMERA = ((525.0, 525.0, 319.5, 239.5), None)  # the default of the sensor's driver


class TumSequence(FileSequence):
    """One sequence folder, as rgbd_dataset_freiburg1_desk. Raises DataError in one line."""

    units_per_m = 5000.0

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        if not TumSequence.matches(path):
            raise missing_data(path, "tum")
        colors, depths = _read_list(path / "rgb.txt"), _read_list(path / "depth.txt")
        self._trajectory = _Trajectory(path / "groundtruth.txt")
        timed, drops = self._associate(path, colors, depths)
        self._stamp_of = {files.number: stamp for stamp, files in timed}
        if not timed:
            causes = ", ".join(f"{count} {cause}" for cause, count in drops.items())
            raise DataError(f"{path}: no colour image has a depth image and a pose near in time ({causes})")
        super().__init__(path, timed, None, start_s, duration_s)
        self.drops += drops
        place = re.search(r"freiburg(\d)", path.resolve().name)
        (fx, fy, cx, cy), distortion = _CAMERAS.get(place[1] if place else "", _OTHER_CAMERA)
        self._calibrated = Intrinsics(fx, fy, cx, cy, 640, 480)
        self._distortion = None if distortion is None else np.array(distortion)

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a sequence."""
        return all((path / name).is_file() for name in ("rgb.txt", "depth.txt", "groundtruth.txt"))

    def _associate(
        self, path: Path, colors: list[tuple[int, str]], depths: list[tuple[int, str]]
    ) -> tuple[list[tuple[int, FrameFiles]], Counter[str]]:
        depth_stamps = np.array([stamp for stamp, _ in depths])
        timed, drops = [], Counter[str]()
        for number, (stamp, color) in enumerate(colors):
            nearest = int(np.abs(depth_stamps - stamp).argmin())
            if abs(depths[nearest][0] - stamp) > MAX_DIFFERENCE_S * NS:
                drops["unpaired_color"] += 1
            elif self._trajectory.at(stamp) is None:
                drops["missing_pose"] += 1
            else:
                files = FrameFiles(number, Path(color).stem, path / color, path / depths[nearest][1])
                timed.append((stamp, files))
        return timed, drops

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        return self._calibrated.scaled(width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        pose = self._trajectory.at(self._stamp_of[files.number])
        assert pose is not None, "frames without a pose were left out"
        return pose

    def _color(self, files: FrameFiles) -> np.ndarray:
        return self._undistorted(read_color(files.color), cv2.INTER_LINEAR)

    def _depth(self, files: FrameFiles, camera: Intrinsics) -> np.ndarray | None:
        assert files.depth is not None
        return depth_in_metres(self._undistorted(read_depth(files.depth), cv2.INTER_NEAREST), self.units_per_m)

    def _undistorted(self, image: np.ndarray, interpolation: int) -> np.ndarray:
        if self._distortion is None:
            return image
        size = image.shape[1], image.shape[0]
        K = self._calibrated.scaled(*size).matrix
        columns, rows = cv2.initUndistortRectifyMap(K, self._distortion, np.eye(3), K, size, cv2.CV_32FC1)
        return np.asarray(cv2.remap(image, columns, rows, interpolation))


class _Trajectory:
    """Poses by time, interpolated between neighbours."""

    def __init__(self, path: Path) -> None:
        rows = [(stamp, line.split()) for stamp, line in _read_list(path)]
        try:
            values = np.array([row for _, row in rows], dtype=np.float64).reshape(-1, 7)
        except ValueError as error:
            raise DataError(f"{path}: expected lines 'timestamp tx ty tz qx qy qz qw' ({error})") from error
        self._stamps = np.array([stamp for stamp, _ in rows])
        self._values, self._path = values, path

    def at(self, stamp_ns: int) -> np.ndarray | None:
        """T_world_camera at a time, None if the neighbours are too far apart."""
        after = int(np.searchsorted(self._stamps, stamp_ns))
        if after < len(self._stamps) and self._stamps[after] == stamp_ns:
            return self._pose(after)
        if not 0 < after < len(self._stamps):
            return None
        before, gap = self._stamps[after - 1], self._stamps[after] - self._stamps[after - 1]
        if gap > _MAX_POSE_GAP_S * NS:
            return None
        return interpolate(self._pose(after - 1), self._pose(after), float((stamp_ns - before) / gap))

    def _pose(self, row: int) -> np.ndarray:
        return pose_from_quaternion(self._values[row, :3], self._values[row, 3:], f"{self._path.name} row {row + 1}")


def _read_list(path: Path) -> list[tuple[int, str]]:
    """Lines `timestamp rest`, sorted by time; lines that begin with # are comments."""
    lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    entries = [line for line in lines if line and not line[0].startswith("#")]
    try:
        stamped = sorted((_nanoseconds(stamp), rest.strip()) for stamp, rest in entries)
    except ValueError as error:
        raise DataError(f"{path}: expected lines 'timestamp ...' ({error})") from error
    if not stamped:
        raise DataError(f"{path} has no entries")
    return stamped


def _nanoseconds(text: str) -> int:
    """Seconds as text -> integer nanoseconds, which a float cannot hold."""
    whole, _, fraction = text.partition(".")
    return int(whole) * NS + int(fraction.ljust(9, "0")[:9] or 0)
