"""Reader of the generic folder format: color/ depth/ pose/ label/ matched by stem, intrinsics.txt, meta.json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.camera_stream.images import INVALID_DEPTH, MILLIMETRES, depth_in_metres
from sem_field_ros.datasets.files.names import IMAGES, files_by_stem, has_images
from sem_field_ros.datasets.files.text import NS, read_intrinsics, read_json, read_pose, read_rows, stamp_ns
from sem_field_ros.datasets.image_files import read_color, read_depth, read_labels
from sem_field_ros.datasets.recorded_sequence import DEFAULT_FPS, RecordedSequence
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import check_pose
from sem_field_ros.labels import LabelSet, load_label_set

COLOR_FOLDERS = ("color", "rgb", "images", "image")
DEFAULT_LABEL_SET = "scannet20"


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

    A colour image whose pose or depth file is missing, or whose name another one has, is left out; `drops` counts them
    (missing_pose, missing_depth, same_name). A missing label file means a frame without labels. `start_s` and
    `duration_s` cut [start, start + duration). Iterating continues after a frame that cannot be read. Raises DataError
    in one line.

    units_per_m  of the depth images: meta.json's `depth_units_per_m`, else millimetres
    """

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        super().__init__(Path(path))
        self.color_folder = next((n for n in COLOR_FOLDERS if has_images(self.path / n)), COLOR_FOLDERS[0])
        colors, same_name = files_by_stem(self.path / self.color_folder, IMAGES)
        if not colors:
            raise DataError(
                f"{path} is not a sequence folder: it has no color/*.jpg or color/*.png (all layouts: docs/data.md)"
            )
        if same_name:
            self.drops["same_name"] = same_name
        meta_path = self.path / "meta.json"
        self.meta = read_json(meta_path) if meta_path.is_file() else {}
        self.units_per_m = _positive(self.meta, "depth_units_per_m", MILLIMETRES, meta_path)
        self._K = read_intrinsics(self.path / "intrinsics.txt")
        self._depths, self._poses, self._labels = (
            files_by_stem(self.path / kind, (suffix,))[0]
            for kind, suffix in (("depth", ".png"), ("pose", ".txt"), ("label", ".png"))
        )
        self.has_depth = (self.path / "depth").is_dir()
        self.has_labels = bool(self._labels)
        self.labels: LabelSet | None = None
        if self.has_labels:
            self.labels = load_label_set(label_set or str(self.meta.get("label_set", DEFAULT_LABEL_SET)))
        timed = [(stamp, color) for stamp, color in self._timed(list(colors.values())) if self._is_complete(color.stem)]
        if not timed:
            raise DataError(self._nothing_complete())
        self._keep(timed, start_s, duration_s)

    def frame_files(self, index: int) -> tuple[str, Path]:
        """Name of a frame and its colour image; its other files have the same name in the folders beside."""
        path = self._frames[index][1]
        return path.stem, path

    def read(self, index: int) -> PosedFrame:
        """Read one frame. Raises DataError or FrameError in one line."""
        raw = self.read_files(index)
        try:
            return PosedFrame(
                stamp_ns=raw.stamp_ns,
                color=raw.color,
                camera=raw.camera,
                T_world_camera=raw.T_world_camera,
                depth=None if raw.depth_mm is None else depth_in_metres(raw.depth_mm),
                labels=raw.labels,
                name=raw.name,
            )
        except FrameError as error:
            raise FrameError(f"frame {raw.name}: {error}", error.cause) from error

    def read_files(self, index: int) -> FolderFrame:
        """Read one frame's files, depth in millimetres. Raises DataError or FrameError in one line."""
        stamp, path = self._frames[index]
        color = read_color(path)
        depth = self._in_millimetres(read_depth(self._depths[path.stem])) if self.has_depth else None
        label_path = self._labels.get(path.stem)
        labels = self._labels_or_none(path.stem, lambda: None if label_path is None else read_labels(label_path))
        pose_path = self._poses[path.stem]
        try:
            T_world_camera = check_pose(read_pose(pose_path), str(pose_path))
            camera = Intrinsics.from_matrix(self._K, color.shape[1], color.shape[0])
        except FrameError as error:
            raise FrameError(f"frame {path.stem}: {error}", error.cause) from error
        return FolderFrame(stamp, path.stem, color, camera, T_world_camera, depth, labels)

    def _in_millimetres(self, stored: np.ndarray) -> np.ndarray:
        if self.units_per_m == MILLIMETRES:
            return stored
        millimetres = np.rint(stored * (MILLIMETRES / self.units_per_m))
        millimetres[(stored == INVALID_DEPTH) | (millimetres >= INVALID_DEPTH)] = 0
        return millimetres.astype(np.uint16)

    def _is_complete(self, stem: str) -> bool:
        for kind, files in (("pose", self._poses), ("depth", self._depths)):
            if (kind == "pose" or self.has_depth) and stem not in files:
                self.drops[f"missing_{kind}"] += 1
                return False
        return True

    def _nothing_complete(self) -> str:
        """The error where no frame has all its files: it names what lies in depth/ instead of PNG files."""
        others = sorted({file.suffix for file in (self.path / "depth").glob("*")} - {".png"})
        hint = f"; depth/ has {', '.join(others)}: write 16-bit PNG" if others and not self._depths else ""
        what = " and depth/NAME.png" * self.has_depth
        return f"{self.path}: no colour image has its pose/NAME.txt{what}{hint}"

    def _timed(self, colors: list[Path]) -> list[tuple[int, Path]]:
        """Pair each colour image with its stamp: from timestamps.txt, else from its number or its place at `fps`."""
        stamps = _read_timestamps(self.path / "timestamps.txt", [color.stem for color in colors])
        self.times_known = bool(stamps) or "fps" in self.meta
        if stamps:
            return sorted((stamps[color.stem], color) for color in colors)
        fps = _positive(self.meta, "fps", DEFAULT_FPS, self.path / "meta.json")
        places = _frame_numbers([color.stem for color in colors])
        return sorted((round((place + 1) * NS / fps), color) for place, color in zip(places, colors, strict=True))


def _frame_numbers(stems: list[str]) -> list[int]:
    """Names that count frames (000000, 000002: every second one) give the time; other names only the order."""
    if all(stem.isdecimal() for stem in stems):
        numbers = [int(stem) for stem in stems]
        if len(set(numbers)) == len(numbers) and max(numbers) < 1000 * len(numbers) + 1_000_000:
            return numbers
    return list(range(len(stems)))


def _positive(meta: dict[str, Any], name: str, default: float, path: Path) -> float:
    try:
        value = float(meta.get(name, default))
    except (TypeError, ValueError):
        value = math.nan
    if not 0 < value < math.inf:
        raise DataError(f"{path}: {name} must be a number above 0, not {meta[name]!r}")
    return value


def _read_timestamps(path: Path, stems: list[str]) -> dict[str, int]:
    """Lines `stem seconds`, or one line of seconds per colour image in the order of their names."""
    if not path.is_file():
        return {}
    lines = read_rows(path)
    if lines and all(len(line) == 1 for line in lines):
        if len(lines) != len(stems):
            raise DataError(f"{path} has {len(lines)} lines for {len(stems)} colour images")
        lines = [[stem, line[0]] for stem, line in zip(stems, lines, strict=True)]
    stamps = {}
    for line in lines:
        if len(line) != 2:
            raise DataError(f"{path}: expected 'stem seconds', got '{' '.join(line)[:60]}'")
        stamps[line[0]] = stamp_ns(line[1], path)
    missing = next((stem for stem in stems if stem not in stamps), None)
    if missing is not None:
        raise DataError(f"{path} has no line for {missing}")
    return stamps
