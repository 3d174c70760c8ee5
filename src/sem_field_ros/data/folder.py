"""Reader of the generic folder format: color/ depth/ pose/ label/ instance/ matched by stem, intrinsics.txt, meta.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet, load_label_set

_DEPTH_INVALID = 65535
_DEFAULT_FPS = 30.0
_DEFAULT_LABEL_SET = "scannet20"


class FolderSequence:
    """A SequenceReader over a folder. Images are read when iterated, in the order of their time stamps.

    `skipped` counts colour images left out because their pose or depth file is missing. Raises DataError in one line.
    """

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        self.path = Path(path)
        self.name = self.path.resolve().name
        colors = sorted((self.path / "color").glob("*.jpg")) + sorted((self.path / "color").glob("*.png"))
        if not colors:
            raise DataError(f"{path} is no sequence folder: it has no color/*.jpg or *.png (see docs/data.md)")
        self.meta = self._read_meta()
        self._K = _read_matrix(self.path / "intrinsics.txt", (3, 3))
        self._has_depth = (self.path / "depth").is_dir()
        self.has_labels = (self.path / "label").is_dir()
        self.labels: LabelSet | None = None
        if self.has_labels:
            self.labels = load_label_set(label_set or self.meta.get("label_set", _DEFAULT_LABEL_SET))
        usable = [color for color in sorted(colors, key=lambda p: p.stem) if self._is_complete(color.stem)]
        self.skipped = len(colors) - len(usable)
        if not usable:
            raise DataError(f"{path}: no colour image has its pose/NAME.txt{' and depth/NAME.png' * self._has_depth}")
        self._frames = self._timed(usable, start_s, duration_s)
        if not self._frames:
            raise DataError(f"{path}: no frame between start_s={start_s} and the end of duration_s={duration_s}")

    def _read_meta(self) -> dict[str, Any]:
        path = self.path / "meta.json"
        if not path.is_file():
            return {}
        try:
            meta = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise DataError(f"{path} cannot be read ({error})") from error
        return meta if isinstance(meta, dict) else {}

    def _is_complete(self, stem: str) -> bool:
        depth = not self._has_depth or (self.path / "depth" / f"{stem}.png").is_file()
        return depth and (self.path / "pose" / f"{stem}.txt").is_file()

    def _timed(self, colors: list[Path], start_s: float, duration_s: float | None) -> list[tuple[int, Path]]:
        stamps = self._read_timestamps()
        fps = float(self.meta.get("fps", _DEFAULT_FPS))
        numbered = all(color.stem.isdecimal() for color in colors)  # 000000, 000002, ...: every second frame at fps
        timed = []
        for i, color in enumerate(colors):
            if stamps and color.stem not in stamps:
                raise DataError(f"{self.path / 'timestamps.txt'} has no line for {color.stem}")
            number = int(color.stem) if numbered else i
            timed.append((stamps[color.stem] if stamps else round((number + 1) * 1e9 / fps), color))
        timed.sort()
        first = timed[0][0] + round(start_s * 1e9)
        last = first + round(duration_s * 1e9) if duration_s is not None else timed[-1][0]
        return [(stamp, color) for stamp, color in timed if first <= stamp <= last]

    def _read_timestamps(self) -> dict[str, int]:
        path = self.path / "timestamps.txt"
        if not path.is_file():
            return {}
        stamps = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                stem, seconds = line.split()
                whole, _, fraction = seconds.partition(".")  # as integers: a float has no room for nanoseconds
                stamps[stem] = int(whole) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)
            except ValueError as error:
                raise DataError(f"{path} line {number}: expected 'stem seconds', got '{line}'") from error
        return stamps

    @property
    def stamps_ns(self) -> list[int]:
        """Time stamps of the frames, nanoseconds."""
        return [stamp for stamp, _ in self._frames]

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[PosedFrame]:
        return map(self.read, range(len(self)))  # goes on after a frame that cannot be read, as a generator would not

    def read(self, index: int) -> PosedFrame:
        """Read one frame. Raises DataError or FrameError in one line."""
        stamp, path = self._frames[index]
        color = _read_image(path, cv2.IMREAD_COLOR)
        camera = Intrinsics.from_matrix(self._K, color.shape[1], color.shape[0])
        depth = None
        if self._has_depth:
            raw = _read_image(self.path / "depth" / f"{path.stem}.png", cv2.IMREAD_UNCHANGED)
            if raw.dtype != np.uint16 or raw.ndim != 2:
                raise DataError(f"{self.path / 'depth' / path.stem}.png is not a 16-bit image of millimetres")
            depth = np.where(raw == _DEPTH_INVALID, 0, raw).astype(np.float32) / 1000
        return PosedFrame(
            stamp_ns=stamp,
            color=np.ascontiguousarray(color[..., ::-1]),
            camera=camera,
            T_world_camera=_read_matrix(self.path / "pose" / f"{path.stem}.txt", (4, 4)),
            depth=depth,
            labels=self._optional("label", path.stem),
            name=path.stem,
        )

    def _optional(self, folder: str, stem: str) -> np.ndarray | None:
        path = self.path / folder / f"{stem}.png"
        return _read_image(path, cv2.IMREAD_UNCHANGED) if path.is_file() else None


def _read_image(path: Path, flags: int) -> np.ndarray:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise DataError(f"{path} is missing or no image")
    return image


def _read_matrix(path: Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        return np.loadtxt(path, dtype=np.float64).reshape(shape)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a {shape[0]}x{shape[1]} matrix as text ({error})") from error
