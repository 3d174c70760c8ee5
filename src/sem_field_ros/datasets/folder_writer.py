"""Writes a sequence in the folder format: color/ depth/ pose/ label/ instance/ and the text files beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sem_field_ros.atomic import atomic_write, write_json
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.frame import PosedFrame

_MAX_DEPTH_MM = 65534  # 65535 means invalid


class FolderWriter:
    """Writes frames one by one, then timestamps.txt and meta.json with `close` (or as a context manager).

    Creates the folder; one that already holds a sequence is refused, so that two sequences never mix, unless `resume`.
    Every file is written completely or not at all, a frame's colour image last: if it exists, the frame is complete.
    Images in a frame's `extra` go to the folder of their name: integers unchanged, floats as depth in metres.
    """

    def __init__(self, directory: str | Path, jpeg_quality: int = 88, resume: bool = False) -> None:
        self.directory = Path(directory)
        self.jpeg_quality = jpeg_quality
        self._stamps: dict[str, int] = {}
        if not resume and (self.directory / "color").exists():
            raise OutputError(f"{self.directory} already holds a sequence; remove it or choose another folder")

    def written(self, name: str) -> bool:
        """Whether a frame is complete."""
        return (self.directory / "color" / f"{name}.jpg").is_file()

    def write(self, frame: PosedFrame) -> None:
        """Write one frame. Raises DataError if a size changes, OutputError if the disk fails."""
        name = frame.name or f"{len(self._stamps):06d}"
        if not self._stamps:
            self._write_text("intrinsics.txt", frame.camera.matrix)
            self._camera = frame.camera
        if frame.camera != self._camera:
            raise DataError(f"frame {name}: the camera changed; a folder has one intrinsics.txt")
        if frame.depth is not None:
            self._write_image(f"depth/{name}.png", _millimetres(frame.depth))
        if frame.labels is not None:
            self._write_image(f"label/{name}.png", frame.labels)
        for folder, image in frame.extra.items():
            whole = np.issubdtype(image.dtype, np.integer)
            self._write_image(f"{folder}/{name}.png", image if whole else _millimetres(image))
        self._write_text(f"pose/{name}.txt", frame.T_world_camera)
        color = np.ascontiguousarray(frame.color[..., ::-1])
        self._write_image(f"color/{name}.jpg", color, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])
        self._stamps[name] = frame.stamp_ns

    def close(self, meta: dict[str, Any], stamps_ns: Mapping[str, int] | None = None) -> None:
        """Write timestamps.txt (`stem seconds` a line) and meta.json (`label_set` and the caller's entries).

        stamps_ns  of all frames by name, if some were written before resuming
        """
        stamps = self._stamps if stamps_ns is None else stamps_ns
        lines = [f"{name} {stamp // 10**9}.{stamp % 10**9:09d}\n" for name, stamp in stamps.items()]
        self._write_bytes("timestamps.txt", "".join(lines).encode())
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
        with atomic_write(self.directory / relative) as file:
            file.write(content)


def _millimetres(depth: np.ndarray) -> np.ndarray:
    return np.clip(np.round(depth * 1000), 0, _MAX_DEPTH_MM).astype(np.uint16)


def write_sequence(directory: str | Path, frames: Iterable[PosedFrame], meta: dict[str, Any]) -> int:
    """Write all frames of a sequence; returns how many."""
    writer = FolderWriter(directory)
    count = 0
    for frame in frames:
        writer.write(frame)
        count += 1
    writer.close(meta)
    return count
