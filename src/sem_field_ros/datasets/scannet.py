"""Readers of ScanNet (Dai et al. 2017): frames as SensReader exports them, scenes of scannet_frames_25k, .sens files.

Poses are camera to world with optical axes; depth is in millimetres and registered to colour, with intrinsics of its
own: it is resampled to the colour camera if the two differ by more than half a pixel. The 2-D labels of a scan
(`label-filt/`, else `label/`) lie beside its frames or its .sens file; see scannet_labels.py for their ids.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.camera_stream.images import depth_in_metres
from sem_field_ros.datasets.file_sequence import (
    FileSequence,
    FrameFiles,
    seen_from,
    stamp_of_number,
)
from sem_field_ros.datasets.files.names import IMAGES, numbered_files
from sem_field_ros.datasets.files.text import read_intrinsics, read_pose
from sem_field_ros.datasets.image_files import read_depth, read_labels
from sem_field_ros.datasets.scannet_labels import RawIds, read_scan_mesh, scannet_label_set
from sem_field_ros.datasets.sens_file import SensFile
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics

_LABEL_FOLDERS = ("label-filt", "label")
_CAMERA_FILES = ("intrinsic/intrinsic_color.txt", "intrinsics_color.txt")  # SensReader, scannet_frames_25k


class ScanNetFrames(FileSequence):
    """A folder of exported frames: color/ depth/ pose/ and intrinsic/. Raises DataError in one line."""

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        colors = numbered_files(path / "color", "", IMAGES)
        camera = next((path / name for name in _CAMERA_FILES if (path / name).is_file()), None)
        if not colors or camera is None:
            raise missing_data(path, "scannet")
        self._K = read_intrinsics(camera)
        depth_camera = camera.with_name(camera.name.replace("color", "depth"))
        self._depth_K = read_intrinsics(depth_camera) if depth_camera.is_file() else None
        depths, labels = numbered_files(path / "depth", "", (".png", ".pgm")), _label_files(path)
        poses = numbered_files(path / "pose", "", (".txt",))
        timed = [
            (stamp_of_number(n), FrameFiles(n, color.stem, color, depths.get(n), labels.get(n)))
            for n, color in colors.items()
            if n in poses and (n in depths or not depths)
        ]
        if not timed:
            raise DataError(f"{path}: no colour image has its pose and depth file")
        known = scannet_label_set(label_set) if labels else None
        super().__init__(path, timed, known, start_s, duration_s, missing_files=len(colors) - len(timed))
        self._poses, self._raw_ids = poses, RawIds(path)

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder holds exported frames (and no intrinsics.txt, which marks the generic folder format)."""
        if (path / "intrinsics.txt").is_file():
            return False
        return (path / "color").is_dir() and any((path / name).is_file() for name in _CAMERA_FILES)

    def read_mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The scan's labelled mesh beside the frames: vertices, faces, label ids; None without."""
        return read_scan_mesh(self.path)

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        return Intrinsics.from_matrix(self._K, width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        return read_pose(self._poses[files.number])

    def _depth(self, files: FrameFiles, camera: Intrinsics) -> np.ndarray | None:
        if files.depth is None:
            return None
        depth = depth_in_metres(read_depth(files.depth), self.units_per_m)
        if self._depth_K is None:
            return depth
        return seen_from(depth, Intrinsics.from_matrix(self._depth_K, depth.shape[1], depth.shape[0]), camera)

    def _labels(self, files: FrameFiles) -> np.ndarray | None:
        return None if files.labels is None else self._raw_ids.to_nyu40(read_labels(files.labels))


class ScanNetSens(FileSequence):
    """A .sens file, or a scan's folder that holds one. Opening it lists the frames; they are decoded when iterated."""

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        file = _sens_path(Path(path))
        self._sens = SensFile(file)
        labels = _label_files(file.parent)
        count = len(self._sens.frames)
        timed = [
            (stamp, FrameFiles(n, f"{n:06d}", file, file, labels.get(n)))
            for n, stamp in enumerate(self._sens.stamps_ns())
        ]
        super().__init__(file, timed, scannet_label_set(label_set) if labels else None, start_s, duration_s)
        self.name, self.units_per_m = file.stem, self._sens.units_per_m
        if self._sens.promised > count:
            self.drops["cut_short"] = self._sens.promised - count
        self._raw_ids = RawIds(file.parent)

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this is a .sens file, or a folder with one and no exported frames."""
        return path.suffix == ".sens" if path.is_file() else any(path.glob("*.sens"))

    def read_mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The scan's labelled mesh beside the file: vertices, faces, label ids; None without."""
        return read_scan_mesh(self.path.parent)

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        return self._sens.color_camera.scaled(width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        return self._sens.frames[files.number].T_world_camera

    def _color(self, files: FrameFiles) -> np.ndarray:
        return self._sens.color(files.number)

    def _depth(self, files: FrameFiles, camera: Intrinsics) -> np.ndarray | None:
        depth = depth_in_metres(self._sens.depth(files.number), self.units_per_m)
        return seen_from(depth, self._sens.depth_camera, camera)

    def _labels(self, files: FrameFiles) -> np.ndarray | None:
        return None if files.labels is None else self._raw_ids.to_nyu40(read_labels(files.labels))


def _label_files(scan: Path) -> dict[int, Path]:
    return next((files for name in _LABEL_FOLDERS if (files := numbered_files(scan / name, "", (".png",)))), {})


def _sens_path(path: Path) -> Path:
    if path.is_file():
        return path
    found = sorted(path.glob("*.sens"))
    if not found:
        raise missing_data(path, "scannet")
    if len(found) > 1:
        raise DataError(f"{path} holds {len(found)} .sens files: name one")
    return found[0]
