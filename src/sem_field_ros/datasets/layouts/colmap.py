"""Reader of a COLMAP model as text beside images/ and depth/: sparse/0/cameras.txt and images.txt.

images.txt has world to camera (qw qx qy qz tx ty tz) with optical axes; pixel centres are at 0.5. depth/NAME.png is
16-bit millimetres. COLMAP's scale is arbitrary unless the model was scaled to metres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.camera_stream.camera_info import Lens
from sem_field_ros.datasets.files.names import files_by_stem
from sem_field_ros.datasets.files.text import number, read_rows, read_text
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles, color_folder
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import inverse, pose_from_quaternion

_MODELS = ("sparse/0", "sparse", "colmap", ".")
# parameters of a camera model by name, in COLMAP's order
_PARAMETERS = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
}


class ColmapSequence(PosedFiles):
    """A folder with a COLMAP model. Raises DataError in one line."""

    layout = "COLMAP"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        model = _model(path)
        if model is None or not (model / "images.txt").is_file():
            raise DataError(
                f"{path} has a COLMAP model in binary form: run `colmap model_converter --output_type TXT` on it"
            )
        folder = color_folder(path)
        if folder is None:
            raise DataError(f"{path} has a COLMAP model, but no images/")
        cameras = dict(_camera(row, model / "cameras.txt") for row in read_rows(model / "cameras.txt"))
        depths = next(
            (found for name in ("depth", "depths") if (found := files_by_stem(path / name, (".png",))[0])), {}
        )
        rows, frames = _image_rows(model / "images.txt"), []
        for row in rows:
            name = " ".join(row[9:])
            color, depth = folder / name, depths.get(Path(name).stem)
            if color.is_file() and (depth is not None or not depths) and row[8] in cameras:
                camera, lens = cameras[row[8]]
                frames.append(PosedFile(color, depth, _pose(row, model / "images.txt"), camera, lens=lens))
        frames.sort(key=lambda frame: frame.color.name)
        super().__init__(path, frames, start_s, duration_s, missing_files=len(rows) - len(frames))
        self.notes.append(f"{path} is a COLMAP model: its scale is arbitrary unless it was scaled to metres")

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder has a COLMAP model."""
        return path.is_dir() and _model(path) is not None


def _model(path: Path) -> Path | None:
    names = (f"{kind}.{end}" for kind in ("cameras",) for end in ("txt", "bin"))
    found = [path / place for name in names for place in _MODELS if (path / place / name).is_file()]
    return next((p for p in found if (p / "images.txt").is_file() or (p / "images.bin").is_file()), None)


def _image_rows(path: Path) -> list[list[str]]:
    """The first of each two lines: an image; the other has its points and may be empty."""
    lines = [line for line in read_text(path).splitlines() if not line.lstrip().startswith("#")]
    rows = [line.split() for line in lines[::2] if line.strip()]
    if any(len(row) < 10 for row in rows):
        raise DataError(f"{path}: expected two lines an image, 'ID QW QX QY QZ TX TY TZ CAMERA NAME' and its points")
    return rows


def _pose(row: list[str], path: Path) -> np.ndarray:
    qw, qx, qy, qz, *t = (number(word, path) for word in row[1:8])
    try:
        return inverse(pose_from_quaternion(np.array(t), np.array([qx, qy, qz, qw]), f"{path}: image {row[0]}"))
    except FrameError as error:
        raise DataError(str(error)) from error


def _camera(row: list[str], path: Path) -> tuple[str, tuple[Intrinsics, Lens | None]]:
    names = _PARAMETERS.get(row[1], "").split() if len(row) > 4 else []
    if not names or len(row) != 4 + len(names):
        raise DataError(f"{path}: camera model {' '.join(row[1:2])} is none of {', '.join(_PARAMETERS)}")
    values = {name: number(word, path) for name, word in zip(names, row[4:], strict=True)}
    width, height = int(number(row[2], path)), int(number(row[3], path))
    fx, fy = values.get("fx", values.get("f", 0.0)), values.get("fy", values.get("f", 0.0))
    camera = Intrinsics(fx, fy, values["cx"] - 0.5, values["cy"] - 0.5, width, height)
    if row[1] == "OPENCV_FISHEYE":
        return row[0], (camera, Lens("equidistant", tuple(values[f"k{i}"] for i in range(1, 5)), camera))
    bent = tuple(values.get(name, 0.0) for name in ("k1", "k2", "p1", "p2"))
    return row[0], (camera, Lens("plumb_bob", bent, camera) if any(bent) else None)
