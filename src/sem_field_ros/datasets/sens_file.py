"""The .sens container of ScanNet, version 4: cameras, then frames with pose, time stamps, colour and depth.

Little-endian: version u32 | sensor name (u64 length) | 4x4 float32 row-major: intrinsics and extrinsics of colour, then
of depth | compression of colour and of depth i32 | width and height u32 of colour, then of depth | depth units a metre
f32 | number of frames u64 | per frame: camera-to-world 4x4 f32, time stamps of colour and depth u64 microseconds, sizes
of colour and depth u64, their bytes. Inertial data follow; they are not read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from sem_field_ros.camera_stream.encoded_images import decode_image
from sem_field_ros.datasets.file_sequence import stamp_of_number
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics

_VERSION = 4
_COLOR = {0: "raw", 1: "png", 2: "jpeg"}
_DEPTH = {0: "raw", 1: "zlib", 2: "occi"}
_SIZES = struct.Struct("<iiIIIIfQ")
_FRAME = struct.Struct("<16fQQQQ")
_MAX_NAME = 4096


@dataclass(frozen=True)
class SensFrame:
    """One frame's place in the file: its pose, time stamp in microseconds, offset and sizes of its pictures."""

    T_world_camera: np.ndarray
    color_us: int
    offset: int
    color_bytes: int
    depth_bytes: int


class SensFile:
    """Index of a .sens file; images are read by number. Raises DataError if it is not one, or has no complete frame.

    promised  number of frames in the header; `frames` has fewer if the file was cut short
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._read_header(file)
                self.frames = list(self._index(file, path.stat().st_size))
        except (OSError, ValueError, struct.error, FrameError) as error:
            raise DataError(f"{path}: not a .sens file that can be read ({error})") from error
        if not self.frames:
            raise DataError(f"{path}: no whole frame in it; the file is cut short")

    def _read_header(self, file: BinaryIO) -> None:
        version, length = struct.unpack("<IQ", file.read(12))
        if version != _VERSION or length > _MAX_NAME:
            raise DataError(f"{self.path}: not a .sens file of version {_VERSION}")
        self.sensor = file.read(length).decode("utf-8", errors="replace")
        color, _, depth, _ = np.frombuffer(file.read(256), "<f4").reshape(4, 4, 4).astype(np.float64)
        kinds = _SIZES.unpack(file.read(_SIZES.size))
        self._color_kind, self._depth_kind = _COLOR.get(kinds[0], "unknown"), _DEPTH.get(kinds[1], "unknown")
        self.color_camera = Intrinsics.from_matrix(color[:3, :3], kinds[2], kinds[3])
        self.depth_camera = Intrinsics.from_matrix(depth[:3, :3], kinds[4], kinds[5])
        self.units_per_m, self.promised = kinds[6], kinds[7]

    def _index(self, file: BinaryIO, size: int) -> Iterator[SensFrame]:
        for _ in range(self.promised):
            header = file.read(_FRAME.size)
            if len(header) < _FRAME.size:
                return
            *pose, color_us, _, color_bytes, depth_bytes = _FRAME.unpack(header)
            offset = file.tell()
            if offset + color_bytes + depth_bytes > size:
                return
            yield SensFrame(np.array(pose).reshape(4, 4), color_us, offset, color_bytes, depth_bytes)
            file.seek(offset + color_bytes + depth_bytes)

    def stamps_ns(self) -> list[int]:
        """Time stamps of the frames: the recorded ones if they increase, else 30 frames per second."""
        recorded = [frame.color_us * 1000 for frame in self.frames]
        if recorded[0] > 0 and all(a < b for a, b in zip(recorded, recorded[1:], strict=False)):
            return recorded
        return [stamp_of_number(n) for n in range(len(self.frames))]

    def color(self, number: int) -> np.ndarray:
        """Colour image of a frame, [H, W, 3] uint8 RGB. Raises DataError."""
        frame, camera = self.frames[number], self.color_camera
        content = self._bytes(frame.offset, frame.color_bytes)
        if self._color_kind == "raw":
            return self._shaped(content, np.uint8, (camera.height, camera.width, 3), number)
        try:
            image = decode_image(content, cv2.IMREAD_COLOR, f"{self.path}: colour of frame {number}")
        except FrameError as error:
            raise DataError(str(error)) from error
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def depth(self, number: int) -> np.ndarray:
        """Depth image of a frame, [h, w] uint16 as stored (`units_per_m`). Raises DataError."""
        frame, camera = self.frames[number], self.depth_camera
        content = self._bytes(frame.offset + frame.color_bytes, frame.depth_bytes)
        if self._depth_kind not in ("raw", "zlib"):
            raise DataError(f"{self.path}: depth compression '{self._depth_kind}' is not read, only raw and zlib are")
        try:
            if self._depth_kind == "zlib":  # one byte more than expected is enough to know that it does not fit
                content = zlib.decompressobj().decompress(content, 2 * camera.height * camera.width + 1)
        except zlib.error as error:
            raise DataError(f"{self.path}: depth of frame {number} cannot be decoded ({error})") from error
        return self._shaped(content, np.dtype("<u2"), (camera.height, camera.width), number)

    def _bytes(self, offset: int, count: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(count)

    def _shaped(self, content: bytes, dtype: np.dtype | type, shape: tuple[int, ...], number: int) -> np.ndarray:
        values = np.frombuffer(content[: len(content) // np.dtype(dtype).itemsize * np.dtype(dtype).itemsize], dtype)
        if values.size != np.prod(shape):
            raise DataError(f"{self.path}: a picture of frame {number} has {values.size} values, expected {shape}")
        return values.reshape(shape).astype(values.dtype.newbyteorder("="))
