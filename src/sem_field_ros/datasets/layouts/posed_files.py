"""Common part of these readers: frames whose camera and pose are known when the recording is opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.camera_stream.camera_info import Lens
from sem_field_ros.camera_stream.images import MILLIMETRES
from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles, stamp_of_number
from sem_field_ros.datasets.files.names import IMAGES, counting_order, has_images, own_files
from sem_field_ros.datasets.folder import COLOR_FOLDERS
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics


@dataclass(frozen=True)
class PosedFile:
    """One frame: its files, T_world_camera (4x4, optical axes, metres), its camera, and its time if that is known.

    camera  of images of its width and height; images of another size are scaled ones. None: of the whole sequence
    lens    distortion (`Lens`) of the colour image, whose `camera` is the same as `camera`
    """

    color: Path
    depth: Path | None
    T_world_camera: np.ndarray
    camera: Intrinsics
    stamp_ns: int | None = None
    lens: Lens | None = None


class PosedFiles(FileSequence):
    """A FileSequence of PosedFiles. A reader of a layout makes the list and passes it on. Raises DataError."""

    layout = ""  # what it reads, for messages

    def __init__(
        self,
        path: Path,
        frames: Iterable[PosedFile],
        start_s: float,
        duration_s: float | None,
        *,
        units_per_m: float = MILLIMETRES,
        missing_files: int = 0,
    ) -> None:
        self._posed = list(frames)
        if not self._posed:
            raise DataError(f"{path}: a recording as of {self.layout}, but no image has its depth and its pose")
        self.units_per_m = units_per_m
        timed = [
            (
                stamp_of_number(n) if frame.stamp_ns is None else frame.stamp_ns,
                FrameFiles(n, frame.color.stem, frame.color, frame.depth),
            )
            for n, frame in enumerate(self._posed)
        ]
        super().__init__(path, timed, None, start_s, duration_s, missing_files=missing_files)
        self.times_known = self._posed[0].stamp_ns is not None

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        camera = self._posed[files.number].camera
        if abs(width * camera.height - height * camera.width) > max(width, height):
            raise DataError(
                f"{files.color} is {width}x{height}, its camera for {camera.width}x{camera.height}: another shape"
            )
        return camera.scaled(width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        return self._posed[files.number].T_world_camera

    def _color(self, files: FrameFiles) -> np.ndarray:
        color = super()._color(files)
        lens = self._posed[files.number].lens
        return color if lens is None else lens.undistorted(color, cv2.INTER_LINEAR)

    def _depth(self, files: FrameFiles, camera: Intrinsics) -> np.ndarray | None:
        depth = super()._depth(files, camera)
        lens = self._posed[files.number].lens
        return depth if depth is None or lens is None else lens.undistorted(depth, cv2.INTER_NEAREST)


def images_of(folder: Path, *, prefix: str = "", suffixes: Iterable[str] = IMAGES) -> list[Path]:
    """Images of a folder whose names begin with `prefix`, in counting order."""
    found = [file for file in own_files(folder, suffixes) if file.name.startswith(prefix)]
    return sorted(found, key=lambda file: counting_order(file.stem))


def color_folder(path: Path) -> Path | None:
    """The folder of colour images by its usual names, None if there is none."""
    return next((path / name for name in COLOR_FOLDERS if has_images(path / name)), None)


def image_size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image file, by its header. Raises DataError."""
    from sem_field_ros.camera_stream.encoded_images import image_size

    try:
        with path.open("rb") as file:
            size = image_size(file.read(1 << 20))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if size is None:
        raise DataError(f"{path} is not a readable image")
    return size
