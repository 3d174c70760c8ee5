"""Decodes PNG, JPEG, WebP, BMP, TIFF and PGM. The size is read from the header and checked before anything is decoded.

A small file can hold a picture of many gigabytes, so a size is believed only up to a limit. Cut JPEGs are refused:
OpenCV returns them with a grey lower part.
"""

from __future__ import annotations

import re
import struct

import cv2
import numpy as np

from sem_field_ros.errors import FrameError

MAX_PIXELS = 100_000_000  # more than any camera that gives depth has
_JPEG_SIZE = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the start-of-frame markers
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_TIFF_INTEGERS = {3: "H", 4: "I"}
_NETPBM = re.compile(rb"P[56]\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(\d{1,9})\s")

Size = tuple[int, int]  # width, height


def image_size(content: bytes) -> Size | None:
    """Width and height by the header of an image file; None if it is none of PNG, JPEG, WebP, BMP, TIFF, PGM."""
    try:
        if content[:8] == b"\x89PNG\r\n\x1a\n":
            return struct.unpack(">II", content[16:24])  # type: ignore[return-value]
        if content[:2] == b"\xff\xd8":
            return _jpeg_size(content)
        if content[:2] == b"BM":
            width, height = struct.unpack("<ii", content[18:26])
            return width, abs(height)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp_size(content)
        if content[:4] in (b"II*\0", b"MM\0*"):
            return _tiff_size(content)
        if content[:2] in (b"P5", b"P6"):
            found = _NETPBM.match(content[:4096])
            return (int(found[1]), int(found[2])) if found else None
    except (struct.error, IndexError, KeyError):
        pass
    return None


def decode_image(
    content: bytes, flags: int, what: str, cause: str = "bad_image", most: Size | None = None
) -> np.ndarray:
    """Decode an image file as cv2.imdecode does, orientation tags ignored.

    what   names it in messages: `compressed depth image`
    most   largest width and height that are accepted, beside MAX_PIXELS
    Raises FrameError (`cause`) if it is empty, cut short, too large, or not an image.
    """
    size = image_size(content)
    if size is None:
        text = "is empty" if not content else "is none of PNG, JPEG, WebP, BMP, TIFF and PGM, or its header is damaged"
        raise FrameError(f"{what} ({len(content)} bytes) is not a readable image: it {text}", cause)
    width, height = size
    if width * height > MAX_PIXELS or (most is not None and (width > most[0] or height > most[1])):
        limit = f"{most[0]}x{most[1]}" if most is not None else f"{MAX_PIXELS // 1_000_000} million pixels"
        raise FrameError(f"{what} is {width}x{height} by its header; at most {limit} is accepted", cause)
    if content[:2] == b"\xff\xd8" and b"\xff\xd9" not in content[content.rfind(b"\xff\xda") :]:
        raise FrameError(f"{what} is a JPEG that is cut short ({len(content)} bytes, no end marker)", cause)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None or image.size == 0:
        raise FrameError(f"{what} ({width}x{height}, {len(content)} bytes) is not a readable image: damaged", cause)
    return np.asarray(image)


def _jpeg_size(content: bytes) -> Size | None:
    at = 2
    while at + 9 < len(content):
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker in _JPEG_SIZE:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        if marker == 0xFF or marker in _JPEG_BARE:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + struct.unpack(">H", content[at + 2 : at + 4])[0]
    return None


def _webp_size(content: bytes) -> Size | None:
    kind = content[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", content[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack("<I", content[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    return None


def _tiff_size(content: bytes) -> Size | None:
    order = "<" if content[:2] == b"II" else ">"
    at = struct.unpack(order + "I", content[4:8])[0]
    found = {}
    for number in range(struct.unpack(order + "H", content[at : at + 2])[0]):
        entry = content[at + 2 + 12 * number : at + 14 + 12 * number]
        tag, kind = struct.unpack(order + "HH", entry[:4])
        if tag in (256, 257):
            code = _TIFF_INTEGERS[kind]
            found[tag] = struct.unpack(order + code, entry[8 : 8 + struct.calcsize(code)])[0]
    return found[256], found[257]
