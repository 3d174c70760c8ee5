"""Writes a sequence in the folder format: color/ depth/ pose/ label/ instance/ and the text files beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sem_field_ros.atomic import write_failure, write_json
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.frame import PosedFrame

_MAX_DEPTH_MM = 65534  # 65535 means invalid


class FolderWriter:
    """Writes frames one by one, then the files about the whole with `close` (or as a context manager).

    The folder is made; one that already holds a sequence is refused, so that frames of two never mix.
    """

    def __init__(self, directory: str | Path, jpeg_quality: int = 88) -> None:
        self.directory = Path(directory)
        self._jpeg_quality = jpeg_quality
        self._times: list[str] = []
        if (self.directory / "color").exists():
            raise OutputError(f"{self.directory} already holds a sequence; remove it or choose another folder")

    def write(self, frame: PosedFrame) -> None:
        """Write one frame. Raises DataError for a size that changes, OutputError where the disk refuses."""
        name = frame.name or f"{len(self._times):06d}"
        if not self._times:
            self._write_text("intrinsics.txt", frame.camera.matrix)
            self._camera = frame.camera
        if frame.camera != self._camera:
            raise DataError(f"frame {name}: the camera changed; a folder has one intrinsics.txt")
        color = np.ascontiguousarray(frame.color[..., ::-1])
        self._write_image(f"color/{name}.jpg", color, [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality])
        if frame.depth is not None:
            millimetres = np.clip(np.round(frame.depth * 1000), 0, _MAX_DEPTH_MM).astype(np.uint16)
            self._write_image(f"depth/{name}.png", millimetres)
        if frame.labels is not None:
            self._write_image(f"label/{name}.png", frame.labels)
        if "instance" in frame.extra:
            self._write_image(f"instance/{name}.png", frame.extra["instance"])
        self._write_text(f"pose/{name}.txt", frame.T_world_camera)
        self._times.append(f"{name} {frame.stamp_ns // 10**9}.{frame.stamp_ns % 10**9:09d}")

    def close(self, meta: dict[str, Any]) -> None:
        """Write timestamps.txt (`stem seconds` a line) and meta.json (`label_set`, and what else the caller gives)."""
        self._write_bytes("timestamps.txt", ("\n".join(self._times) + "\n").encode())
        write_json(self.directory / "meta.json", meta)

    def _write_image(self, relative: str, image: np.ndarray, options: list[int] | None = None) -> None:
        png = [cv2.IMWRITE_PNG_COMPRESSION, 9]
        ok, content = cv2.imencode(Path(relative).suffix, image, png if options is None else options)
        if not ok:
            raise DataError(f"{relative}: an image of {image.shape} {image.dtype} cannot be written")
        self._write_bytes(relative, content.tobytes())

    def _write_text(self, relative: str, matrix: np.ndarray) -> None:
        lines = [" ".join(f"{value:.9g}" for value in row) for row in matrix]
        self._write_bytes(relative, ("\n".join(lines) + "\n").encode())

    def _write_bytes(self, relative: str, content: bytes) -> None:
        path = self.directory / relative
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise OutputError(write_failure(path, error)) from error


def write_sequence(directory: str | Path, frames: Iterable[PosedFrame], meta: dict[str, Any]) -> int:
    """Write all frames of a sequence; returns how many."""
    writer = FolderWriter(directory)
    count = 0
    for frame in frames:
        writer.write(frame)
        count += 1
    writer.close(meta)
    return count
