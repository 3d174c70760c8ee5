"""Image files: reads those of recordings (RGB, 16-bit depth, label ids), writes RGB images."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.atomic import atomic_write
from sem_field_ros.camera_stream.encoded_images import decode_image
from sem_field_ros.errors import DataError, FrameError

_PNG = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3  # colour types


def read_color(path: Path) -> np.ndarray:
    """[H, W, 3] uint8 RGB. Raises DataError."""
    image = _read(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def read_depth(path: Path) -> np.ndarray:
    """[h, w] uint16 as stored. Raises DataError."""
    depth = _read(path, cv2.IMREAD_UNCHANGED)
    if depth.dtype != np.uint16 or depth.ndim != 2:
        raise DataError(f"{path} is not a 16-bit grey depth image but {_kind(depth)}: write depth as 16-bit PNG")
    return depth


def read_labels(path: Path) -> np.ndarray:
    """[h, w] uint8 or uint16 ids as stored; of a PNG with a palette its indices. Raises DataError."""
    labels = _read_palette_indices(path)
    if labels is None:
        labels = _read(path, cv2.IMREAD_UNCHANGED)
    if labels.dtype not in (np.uint8, np.uint16) or labels.ndim != 2:
        raise DataError(
            f"{path} is not an 8- or 16-bit grey image of label ids but {_kind(labels)}: write ids, not colours"
        )
    return labels


def write_color(path: Path, image: np.ndarray) -> None:
    """Write [H, W, 3] uint8 RGB as the PNG or JPEG that the name says, completely or not at all. Raises OutputError."""
    content = cv2.imencode(path.suffix, image[..., ::-1])[1]
    with atomic_write(path) as file:
        file.write(content.tobytes())


def _read_palette_indices(path: Path) -> np.ndarray | None:
    """Indices [h, w] of an 8-bit PNG with a palette; None if the file is none.

    OpenCV gives the colours alone, so it is shown the file as a grey one without the palette.
    """
    content = path.read_bytes() if path.is_file() else b""
    if content[:8] != _PNG or content[12:16] != b"IHDR" or content[24:26] != bytes((8, _PALETTE)):
        return None
    header = content[12:25] + bytes((_GREY,)) + content[26:29]
    grey, at = content[:12] + header + zlib.crc32(header).to_bytes(4, "big"), 33
    while at + 8 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] not in (b"PLTE", b"tRNS"):
            grey += content[at:end]
        at = end
    return _decoded(path, grey, cv2.IMREAD_UNCHANGED)


def _read(path: Path, flags: int) -> np.ndarray:
    if not path.is_file():
        raise DataError(f"{path} is missing")
    return _decoded(path, path.read_bytes(), flags)


def _decoded(path: Path, content: bytes, flags: int) -> np.ndarray:
    try:
        return decode_image(content, flags, str(path))
    except FrameError as error:
        raise DataError(str(error)) from error


def _kind(image: np.ndarray) -> str:
    return f"{image.dtype} with {1 if image.ndim == 2 else image.shape[2]} channels"
