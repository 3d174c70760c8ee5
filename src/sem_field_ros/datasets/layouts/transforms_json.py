"""Reader of transforms.json, as nerfstudio's ns-process-data writes it of Polycam, Record3D, COLMAP and others.

Cameras (fl_x fl_y cx cy w h, distortion k1 k2 p1 p2) stand at the top or in each frame; pixel centres at 0.5.
`transform_matrix` is camera to world with OpenGL axes; depth (`depth_file_path`) is 16-bit millimetres.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.camera_stream.camera_info import Lens
from sem_field_ros.datasets.files.names import IMAGES
from sem_field_ros.datasets.files.text import read_json
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, image_size_of
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import T_OPTICAL_OPENGL, check_pose

NAME = "transforms.json"


class TransformsJson(PosedFiles):
    """A folder with transforms.json. Raises DataError in one line."""

    layout = "transforms.json (nerfstudio)"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        folder, file = _place(Path(path))
        content = read_json(file)
        entries = content.get("frames")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DataError(f"{file}: expected a list 'frames'")
        frames = [frame for entry in entries if (frame := _frame(folder, file, content, entry)) is not None]
        super().__init__(folder, frames, start_s, duration_s, missing_files=len(entries) - len(frames))
        if "applied_scale" in content:
            self.notes.append(f"{file} has applied_scale {content['applied_scale']}: its positions are not metres")

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this is such a file, or a folder with one."""
        return path.name == NAME if path.is_file() else (path / NAME).is_file()


def _place(path: Path) -> tuple[Path, Path]:
    return (path.parent, path) if path.is_file() else (path, path / NAME)


def _frame(folder: Path, file: Path, content: dict[str, Any], entry: dict[str, Any]) -> PosedFile | None:
    """One frame, None if its files are not there."""
    try:
        color = _image(folder / str(entry["file_path"]))
        named = entry.get("depth_file_path")
        depth = folder / str(named) if named else None
        if not color.is_file() or (depth is not None and not depth.is_file()):
            return None
        T = check_pose(
            np.array(entry["transform_matrix"], dtype=np.float64), f"{file}: transform_matrix of {color.name}"
        )
        camera, lens = _camera(content | entry, color)
    except FrameError as error:
        raise DataError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: a frame needs file_path, transform_matrix and fl_x ({error!r})") from error
    return PosedFile(color, depth, T @ T_OPTICAL_OPENGL, camera, lens=lens)


def _image(path: Path) -> Path:
    """The image file; some tools leave the suffix out."""
    if path.suffix.lower() in IMAGES:
        return path
    return next((p for p in (path.with_name(path.name + suffix) for suffix in IMAGES) if p.is_file()), path)


def _camera(values: dict[str, Any], color: Path) -> tuple[Intrinsics, Lens | None]:
    width, height = image_size_of(color)
    w, h = int(values.get("w", width)), int(values.get("h", height))
    if "fl_x" in values:
        fx = float(values["fl_x"])
    else:
        fx = w / 2 / math.tan(float(values["camera_angle_x"]) / 2)
    fy = float(values.get("fl_y", fx))
    camera = Intrinsics(fx, fy, float(values.get("cx", w / 2)) - 0.5, float(values.get("cy", h / 2)) - 0.5, w, h)
    coefficients = tuple(float(values.get(name, 0.0)) for name in ("k1", "k2", "p1", "p2"))
    if "FISHEYE" in str(values.get("camera_model", "")):
        bent = tuple(float(values.get(name, 0.0)) for name in ("k1", "k2", "k3", "k4"))
        return camera, Lens("equidistant", bent, camera) if any(bent) else None
    return camera, Lens("plumb_bob", coefficients, camera) if any(coefficients) else None
