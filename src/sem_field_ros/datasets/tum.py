"""Reader of TUM RGB-D sequences (Sturm et al. 2012): rgb.txt, depth.txt and groundtruth.txt, associated by time.

Colour, depth (5000 units a metre, registered to colour) and poses have their own clocks: a frame is a colour image, the
depth image nearest in time and the camera's pose between its two nearest neighbours. Poses are camera to world with
optical axes (tx ty tz qx qy qz qw). ETH3D's and people's own sequences have the camera in calibration.txt (fx fy cx
cy, then distortion k1 k2 p1 p2 k3); otherwise the lens of freiburg1 and freiburg2 is corrected. In place of rgb.txt and
depth.txt, associations.txt can give the pairs (`time rgb/A.png time depth/B.png`, either first).
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.camera_stream.images import depth_in_metres
from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles
from sem_field_ros.datasets.files.text import NS, is_number, number, read_numbers, read_rows, stamp_ns
from sem_field_ros.datasets.image_files import read_color, read_depth
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import interpolate, pose_from_quaternion

ASSOCIATIONS, CALIBRATION = "associations.txt", "calibration.txt"
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
            raise missing_data(path, "tum", _what_is_missing(path))
        colors, depths = read_pairs(path)
        self._trajectory = Trajectory(path / "groundtruth.txt")
        timed, drops = self._associate(path, colors, depths)
        self._stamp_of = {files.number: stamp for stamp, files in timed}
        if not timed:
            causes = ", ".join(f"{count} {cause}" for cause, count in drops.items())
            raise DataError(f"{path}: no colour image has a depth image and a pose near in time ({causes})")
        super().__init__(path, timed, None, start_s, duration_s)
        self.drops += drops
        self._calibrated, self._distortion = self._find_camera(path)

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a sequence."""
        lists = (path / "rgb.txt").is_file() and (path / "depth.txt").is_file()
        return (path / "groundtruth.txt").is_file() and (lists or (path / ASSOCIATIONS).is_file())

    def _find_camera(self, path: Path) -> tuple[Intrinsics | None, np.ndarray | None]:
        """The colour camera, None for one of the images' own size in `_own`, and its distortion."""
        self._own: np.ndarray | None = None
        if (path / CALIBRATION).is_file():
            numbers = read_numbers(path / CALIBRATION)
            if numbers.size not in (4, 8, 9):
                raise DataError(
                    f"{path / CALIBRATION} has {numbers.size} numbers: expected fx fy cx cy [k1 k2 p1 p2 [k3]]"
                )
            self._own = numbers[:4]
            return None, numbers[4:] if numbers[4:].any() else None
        place = re.search(r"freiburg(\d)", path.resolve().name)
        if not (place and place[1] in _CAMERAS):
            self.notes.append(f"{path} has no {CALIBRATION}: the default camera of a Kinect is assumed (fx 525 of 640)")
        (fx, fy, cx, cy), distortion = _CAMERAS.get(place[1] if place else "", _OTHER_CAMERA)
        return Intrinsics(fx, fy, cx, cy, 640, 480), None if distortion is None else np.array(distortion)

    def _associate(
        self, path: Path, colors: list[tuple[int, str]], depths: list[tuple[int, str]]
    ) -> tuple[list[tuple[int, FrameFiles]], Counter[str]]:
        depth_stamps = np.array([stamp for stamp, _ in depths])
        timed, drops = [], Counter[str]()
        for place, (stamp, color) in enumerate(colors):
            nearest = int(np.abs(depth_stamps - stamp).argmin())
            depth = path / depths[nearest][1]
            if not (path / color).is_file() or not depth.is_file():
                drops["missing_files"] += 1
            elif abs(depths[nearest][0] - stamp) > MAX_DIFFERENCE_S * NS:
                drops["unpaired_color"] += 1
            elif self._trajectory.at(stamp) is None:
                drops["missing_pose"] += 1
            else:
                files = FrameFiles(place, Path(color).stem, path / color, depth)
                timed.append((stamp, files))
        return timed, drops

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        if self._own is not None:
            fx, fy, cx, cy = (float(value) for value in self._own)
            return Intrinsics(fx, fy, cx, cy, width, height)
        assert self._calibrated is not None
        if abs(width * self._calibrated.height - height * self._calibrated.width) > max(width, height):
            raise DataError(
                f"{files.color} is {width}x{height}, not 4:3: give the camera in {CALIBRATION} (fx fy cx cy)"
            )
        return self._calibrated.scaled(width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        pose = self._trajectory.at(self._stamp_of[files.number])
        assert pose is not None, "frames without a pose were left out"
        return pose

    def _color(self, files: FrameFiles) -> np.ndarray:
        color = read_color(files.color)
        return self._undistorted(color, files, cv2.INTER_LINEAR)

    def _depth(self, files: FrameFiles, camera: Intrinsics) -> np.ndarray | None:
        assert files.depth is not None
        return depth_in_metres(self._undistorted(read_depth(files.depth), files, cv2.INTER_NEAREST), self.units_per_m)

    def _undistorted(self, image: np.ndarray, files: FrameFiles, interpolation: int) -> np.ndarray:
        if self._distortion is None:
            return image
        size = image.shape[1], image.shape[0]
        K = self._camera(files, *size).matrix
        columns, rows = cv2.initUndistortRectifyMap(K, self._distortion, np.eye(3), K, size, cv2.CV_32FC1)
        return np.asarray(cv2.remap(image, columns, rows, interpolation))


class Trajectory:
    """Poses by time, interpolated between neighbours, of lines `time tx ty tz qx qy qz qw`. Raises DataError."""

    def __init__(self, path: Path) -> None:
        rows = _without_heading(read_rows(path))
        if any(len(row) != 8 for row in rows) or not rows:
            short = next((" ".join(row) for row in rows if len(row) != 8), "nothing")
            raise DataError(f"{path}: expected lines 'timestamp tx ty tz qx qy qz qw', got '{short[:60]}'")
        timed = sorted((stamp_ns(row[0], path), [number(word, path) for word in row[1:]]) for row in rows)
        self._stamps = np.array([stamp for stamp, _ in timed])
        self._values, self._path = np.array([values for _, values in timed], dtype=np.float64), path

    def at(self, stamp_ns: int, slack_ns: int = 1000) -> np.ndarray | None:
        """T_world_camera at a time, None if the neighbours are too far apart; `slack_ns` forgives rounded stamps."""
        near = int(np.abs(self._stamps - stamp_ns).argmin())
        if abs(int(self._stamps[near]) - stamp_ns) <= slack_ns:
            return self._pose(near)
        after = int(np.searchsorted(self._stamps, stamp_ns))
        if not 0 < after < len(self._stamps):
            return None
        before, gap = self._stamps[after - 1], self._stamps[after] - self._stamps[after - 1]
        if gap > _MAX_POSE_GAP_S * NS:
            return None
        return interpolate(self._pose(after - 1), self._pose(after), float((stamp_ns - before) / gap))

    def _pose(self, row: int) -> np.ndarray:
        return pose_from_quaternion(self._values[row, :3], self._values[row, 3:], f"{self._path.name} row {row + 1}")


def read_pairs(path: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Stamped colour and depth files: of their two lists, else of the one with pairs."""
    if (path / "rgb.txt").is_file() and (path / "depth.txt").is_file():
        return _read_list(path / "rgb.txt"), _read_list(path / "depth.txt")
    colors, depths = [], []
    for row in read_rows(path / ASSOCIATIONS):
        entries = dict(zip(row[1::2], row[::2], strict=False))
        depth = next((file for file in entries if "depth" in file), None)
        color = next((file for file in entries if file != depth), None)
        if len(row) != 4 or depth is None or color is None:
            line = " ".join(row)[:60]
            raise DataError(f"{path / ASSOCIATIONS}: expected 'time rgb/A.png time depth/B.png', got '{line}'")
        colors.append((stamp_ns(entries[color], path), color))
        depths.append((stamp_ns(entries[depth], path), depth))
    return colors, depths


def _read_list(path: Path) -> list[tuple[int, str]]:
    """Lines `timestamp file`, sorted by time."""
    rows = _without_heading(read_rows(path, maxsplit=1))
    if not rows:
        raise DataError(f"{path} has no entries")
    if any(len(row) != 2 for row in rows):
        raise DataError(
            f"{path}: expected lines 'timestamp file', got '{next(r for r in rows if len(r) != 2)[0][:60]}'"
        )
    return sorted((stamp_ns(stamp, path), file.strip()) for stamp, file in rows)


def _without_heading(rows: list[list[str]]) -> list[list[str]]:
    return rows[1:] if len(rows) > 1 and not is_number(rows[0][0]) else rows


def _what_is_missing(path: Path) -> str:
    """More than the list of files where a sequence is there but its ground truth is not."""
    if (path / "groundtruth.txt").is_file() or not ((path / "rgb.txt").is_file() or (path / ASSOCIATIONS).is_file()):
        return ""
    return "it has images but no groundtruth.txt: camera poses are needed, e.g. from your SLAM in TUM format"
