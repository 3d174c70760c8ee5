"""Reader of the generic folder format: color/ depth/ pose/ label/ matched by stem, intrinsics.txt, meta.json."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.camera_stream.images import depth_from_millimetres
from sem_field_ros.datasets.image_files import read_color, read_depth, read_labels
from sem_field_ros.datasets.recorded_sequence import DEFAULT_FPS, NS, RecordedSequence
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import check_pose
from sem_field_ros.labels import LabelSet, load_label_set

DEFAULT_LABEL_SET = "scannet20"
_IMAGES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class FolderFrame:
    """The files of one frame as they are: RGB uint8, depth uint16 millimetres (0, 65535 invalid), label ids."""

    stamp_ns: int
    name: str
    color: np.ndarray
    camera: Intrinsics
    T_world_camera: np.ndarray
    depth_mm: np.ndarray | None
    labels: np.ndarray | None


class FolderSequence(RecordedSequence[Path]):
    """A RecordedSequence over a folder.

    A colour image whose pose or depth file is missing is left out; `drops` counts them (missing_pose, missing_depth).
    A missing label file means a frame without labels. `start_s` and `duration_s` cut [start, start + duration).
    Iterating continues after a frame that cannot be read. Raises DataError in one line.
    """

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        super().__init__(Path(path))
        files = sorted((self.path / "color").glob("*"), key=lambda file: file.stem)
        colors = [file for file in files if file.suffix.lower() in _IMAGES]
        if not colors:
            raise DataError(f"{path} is not a sequence folder: it has no color/*.jpg or color/*.png")
        self.meta = _read_meta(self.path / "meta.json")
        self._K = read_matrix(self.path / "intrinsics.txt", (3, 3))
        self.has_depth = (self.path / "depth").is_dir()
        self.has_labels = (self.path / "label").is_dir()
        self.labels: LabelSet | None = None
        if self.has_labels:
            self.labels = load_label_set(label_set or str(self.meta.get("label_set", DEFAULT_LABEL_SET)))
        timed = [(stamp, color) for stamp, color in self._timed(colors) if self._is_complete(color.stem)]
        if not timed:
            raise DataError(f"{path}: no colour image has its pose/NAME.txt{' and depth/NAME.png' * self.has_depth}")
        self._keep(timed, start_s, duration_s)

    def frame_files(self, index: int) -> tuple[str, Path]:
        """Name of a frame and its colour image; its other files have the same name in the folders beside."""
        path = self._frames[index][1]
        return path.stem, path

    def read(self, index: int) -> PosedFrame:
        """Read one frame. Raises DataError or FrameError in one line."""
        raw = self.read_files(index)
        return PosedFrame(
            stamp_ns=raw.stamp_ns,
            color=raw.color,
            camera=raw.camera,
            T_world_camera=raw.T_world_camera,
            depth=None if raw.depth_mm is None else depth_from_millimetres(raw.depth_mm),
            labels=raw.labels,
            name=raw.name,
        )

    def read_files(self, index: int) -> FolderFrame:
        """Read one frame's files, depth in millimetres. Raises DataError or FrameError in one line."""
        stamp, path = self._frames[index]
        color = read_color(path)
        pose_path = self.path / "pose" / f"{path.stem}.txt"
        depth_path, label_path = (self.path / folder / f"{path.stem}.png" for folder in ("depth", "label"))
        depth = read_depth(depth_path) if self.has_depth else None
        labels = read_labels(label_path) if label_path.is_file() else None
        try:
            T_world_camera = check_pose(read_matrix(pose_path, (4, 4)), str(pose_path))
            camera = Intrinsics.from_matrix(self._K, color.shape[1], color.shape[0])
        except FrameError as error:
            raise FrameError(f"frame {path.stem}: {error}", error.cause) from error
        return FolderFrame(stamp, path.stem, color, camera, T_world_camera, depth, labels)

    def _is_complete(self, stem: str) -> bool:
        for kind, name in (("pose", f"{stem}.txt"), ("depth", f"{stem}.png")):
            if (kind == "pose" or self.has_depth) and not (self.path / kind / name).is_file():
                self.drops[f"missing_{kind}"] += 1
                return False
        return True

    def _timed(self, colors: list[Path]) -> list[tuple[int, Path]]:
        """Pair each colour image with its stamp: from timestamps.txt, else from its number or its place at `fps`."""
        stamps = _read_timestamps(self.path / "timestamps.txt", [color.stem for color in colors])
        self.times_known = bool(stamps) or "fps" in self.meta
        if stamps:
            return sorted((stamps[color.stem], color) for color in colors)
        try:
            fps = float(self.meta.get("fps", DEFAULT_FPS))
        except (TypeError, ValueError):
            fps = math.nan
        if not 0 < fps < math.inf:
            raise DataError(f"{self.path / 'meta.json'}: fps must be a number above 0, not {self.meta['fps']!r}")
        places = _frame_numbers([color.stem for color in colors])
        return sorted((round((place + 1) * NS / fps), color) for place, color in zip(places, colors, strict=True))


def read_matrix(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a matrix from a text file. Raises DataError in one line."""
    try:
        return np.array(path.read_text(encoding="utf-8").split(), dtype=np.float64).reshape(shape)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a {shape[0]}x{shape[1]} matrix as text ({error})") from error


def _frame_numbers(stems: list[str]) -> list[int]:
    """Names that count frames (000000, 000002: every second one) give the time; other names only the order."""
    if all(stem.isdecimal() for stem in stems):
        numbers = [int(stem) for stem in stems]
        if len(set(numbers)) == len(numbers) and max(numbers) < 1000 * len(numbers) + 1_000_000:
            return numbers
    return list(range(len(stems)))


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(meta, dict):
        raise DataError(f'{path} must hold an object, e.g. {{"label_set": "scannet20"}}')
    return meta


def _read_timestamps(path: Path, stems: list[str]) -> dict[str, int]:
    """Lines `stem seconds`, or one line of seconds per colour image in the order of their names."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if lines and all(len(line) == 1 for line in lines):
        if len(lines) != len(stems):
            raise DataError(f"{path} has {len(lines)} lines for {len(stems)} colour images")
        lines = [[stem, line[0]] for stem, line in zip(stems, lines, strict=True)]
    stamps = {}
    for line in lines:
        try:
            stem, seconds = line
            whole, _, fraction = seconds.partition(".")  # as integers: a float has no room for nanoseconds
            stamps[stem] = int(whole) * NS + int(fraction.ljust(9, "0")[:9] or 0)
        except ValueError as error:
            raise DataError(f"{path}: expected 'stem seconds', got '{' '.join(line)}'") from error
    missing = next((stem for stem in stems if stem not in stamps), None)
    if missing is not None:
        raise DataError(f"{path} has no line for {missing}")
    return stamps
