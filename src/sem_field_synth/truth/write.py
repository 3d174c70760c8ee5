"""Writes a recorded folder sequence with hand-drawn labels, its depth registered to the colour camera where needed.

Images that stay as they are become links to the recording: nothing of it is copied but poses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sem_field_ros.atomic import atomic_write, write_failure, write_json
from sem_field_ros.datasets.file_sequence import depth_in_metres
from sem_field_ros.datasets.folder import FolderFrame, FolderSequence
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.geometry.registration import register_depth
from sem_field_synth.truth.polygons import ColorCamera, LabelPolygons

_MAX_DEPTH_MM = 65534  # 65535 means invalid


class TruthWriter:
    """Writes frames of `source` to `out` one by one, then, with `close`, what belongs to all of them.

    register  True: depth, intrinsics and poses become those of the polygons' colour camera, if they have one
    Raises DataError where the recording lacks a labelled frame, OutputError where `out` holds a sequence already.
    """

    def __init__(self, source: FolderSequence, truth: LabelPolygons, out: Path, register: bool = True) -> None:
        if (out / "color").exists():
            raise OutputError(f"{out} already holds a sequence; remove it or choose another folder")
        names = [source.frame_files(place)[0] for place in range(len(source))]
        missing = sorted(set(truth.frames) - set(names))
        if missing:
            raise DataError(f"{source.path} has no frame {', '.join(missing)}: these labels are of another recording")
        self.source, self.truth, self.out = source, truth, out
        self.labelled = [place for place, name in enumerate(names) if name in truth.frames]
        self._color_camera = truth.color_camera if register else None
        self._written: list[int] = []

    def write(self, place: int) -> None:
        """Write the frame at `place` of the recording."""
        raw = self.source.read_files(place)
        if raw.color.shape[:2] != (self.truth.height, self.truth.width):
            size, expected = raw.color.shape[1::-1], (self.truth.width, self.truth.height)
            raise DataError(f"frame {raw.name} is {size[0]}x{size[1]}, its labels {expected[0]}x{expected[1]}")
        T_world_camera, name = raw.T_world_camera, raw.name
        if self._color_camera is not None:
            T_world_camera = T_world_camera @ np.linalg.inv(self._color_camera.T_color_depth)
        if raw.depth_mm is not None and self._color_camera is not None:
            self._write_image(f"depth/{name}.png", _registered(raw, self._color_camera))
        elif raw.depth_mm is not None:
            self._link(f"depth/{name}.png", self.source.path / "depth" / f"{name}.png")
        if name in self.truth.frames:
            self._write_image(f"label/{name}.png", self.truth.labels.to_id(self.truth.draw(name)))
        self._write_matrix(f"pose/{name}.txt", T_world_camera)
        color = self.source.frame_files(place)[1]
        self._link(f"color/{color.name}", color)
        self._camera = raw.camera if self._color_camera is None else self._color_camera.intrinsics
        self._written.append(place)

    def close(self, note: str) -> None:
        """Write intrinsics.txt, timestamps.txt and meta.json, with `note` as its "labelled"."""
        self._write_matrix("intrinsics.txt", self._camera.matrix)
        lines = [f"{self.source.frame_files(place)[0]} {_seconds(self.source.stamps_ns[place])}\n" for place in
                 self._written]  # fmt: skip
        self._write_bytes("timestamps.txt", "".join(lines).encode())
        meta: dict[str, Any] = {**self.source.meta, "label_set": self.truth.labels.name, "labelled": note}
        write_json(self.out / "meta.json", meta)

    def _link(self, relative: str, target: Path) -> None:
        path = self.out / relative
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target.resolve())
        except OSError as error:
            raise OutputError(write_failure(path, error)) from error

    def _write_image(self, relative: str, image: np.ndarray) -> None:
        self._write_bytes(relative, cv2.imencode(".png", image)[1].tobytes())

    def _write_matrix(self, relative: str, matrix: np.ndarray) -> None:
        self._write_bytes(relative, "".join(" ".join(f"{v:.9g}" for v in row) + "\n" for row in matrix).encode())

    def _write_bytes(self, relative: str, content: bytes) -> None:
        with atomic_write(self.out / relative) as file:
            file.write(content)


def _registered(raw: FolderFrame, color_camera: ColorCamera) -> np.ndarray:
    """A frame's depth in the colour camera, millimetres uint16; the recording's one camera is that of its depth."""
    assert raw.depth_mm is not None
    depth = depth_in_metres(raw.depth_mm, units_per_m=1000)
    metres = register_depth(depth, raw.camera, color_camera.intrinsics, color_camera.T_color_depth)
    return np.clip(np.rint(metres * 1000), 0, _MAX_DEPTH_MM).astype(np.uint16)


def _seconds(stamp_ns: int) -> str:
    return f"{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}"
