"""Image files: the size by the header, limits before decoding, damaged and cut ones; RVL depth. Bombs cost nothing."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.camera_stream.encoded_images import decode_image, image_size
from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg
from sem_field_ros.camera_stream.rvl import decode_rvl
from sem_field_ros.datasets.image_files import read_color, read_depth
from sem_field_ros.errors import DataError, FrameError

IMAGE = np.random.default_rng(3).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def png(width: int, height: int, rows: int = 0) -> bytes:
    """A grey 16-bit PNG by its header, with `rows` rows of zeros: small, however large it says it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(rows * (2 * width + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm"])
def test_the_size_by_the_header_is_that_of_the_picture(suffix: str) -> None:
    content = cv2.imencode(suffix, IMAGE)[1].tobytes()
    assert image_size(content) == (53, 37)
    assert decode_image(content, cv2.IMREAD_COLOR, "it").shape == (37, 53, 3)
    for length in range(40):
        assert image_size(content[:length]) in (None, (53, 37))


def test_a_jpeg_with_a_thumbnail_and_trailing_bytes_is_whole_and_a_cut_one_is_not() -> None:
    jpeg = cv2.imencode(".jpg", IMAGE)[1].tobytes()
    thumbnail = cv2.imencode(".jpg", IMAGE[:8, :8])[1].tobytes()
    exif = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    whole = jpeg[:2] + exif + jpeg[2:] + b"\0\0padding"
    assert image_size(whole) == (53, 37) and decode_image(whole, cv2.IMREAD_COLOR, "it").shape == (37, 53, 3)
    for content in (jpeg, whole[: -len(b"\0\0padding")]):
        with pytest.raises(FrameError, match="JPEG that is cut short"):
            decode_image(content[: len(content) * 2 // 3], cv2.IMREAD_COLOR, "it")


@pytest.mark.parametrize(("size", "says"), [((50_000, 50_000), "50000x50000"), ((1300, 100), "1300x100")])
def test_a_size_beyond_the_limit_costs_no_memory(size: tuple[int, int], says: str) -> None:
    content = png(*size, rows=5)
    tracemalloc.start()
    with pytest.raises(FrameError, match=says):
        decode_image(content, cv2.IMREAD_UNCHANGED, "depth", most=(640, 480))
    message = SimpleNamespace(format="16UC1; compressedDepth png", data=bytes(12) + content)
    with pytest.raises(FrameError, match=says) as error:
        depth_from_msg(message, most=(640, 480))
    assert error.value.cause == "bad_depth" and tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_files_have_the_same_limits(tmp_path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(50_000, 50_000))
    with pytest.raises(DataError, match=r"bomb.png is 50000x50000 by its header; at most 100 million pixels"):
        read_depth(tmp_path / "bomb.png")
    (tmp_path / "cut.jpg").write_bytes(cv2.imencode(".jpg", IMAGE)[1].tobytes()[:900])
    with pytest.raises(DataError, match=r"cut.jpg is a JPEG that is cut short"):
        read_color(tmp_path / "cut.jpg")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0\xff\xff\xff\xff"])
def test_what_is_no_image(content: bytes) -> None:
    with pytest.raises(FrameError, match="not a readable image") as error:
        color_from_msg(SimpleNamespace(format="jpeg", data=content))
    assert error.value.cause == "bad_image" and "\n" not in str(error.value)


def encode_rvl(values: np.ndarray) -> bytes:
    """RVL as the paper's listing has it, a pixel at a time: the slow twin."""
    nibbles: list[int] = []

    def put(number: int) -> None:
        while True:
            nibble, number = number & 7, number >> 3
            nibbles.append(nibble | 8 * bool(number))
            if not number:
                return

    v, at, before = values.reshape(-1).astype(int), 0, 0
    while at < len(v):
        zeros = int(np.argmax(np.append(v[at:], 1) != 0)) if (v[at:] != 0).any() else len(v) - at
        at += zeros
        count = int(np.argmax(np.append(v[at:], 0) == 0))
        put(zeros)
        put(count)
        for value in v[at : at + count]:
            put(2 * (value - before) if value >= before else 2 * (before - value) - 1)
            before = value
        at += count
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int("".join(f"{n:x}" for n in nibbles[i : i + 8]), 16) for i in range(0, len(nibbles), 8)]
    return struct.pack(f"<{len(words)}I", *words)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 700, 701, 65535]), min_size=1, max_size=90))
def test_rvl_is_decoded_as_its_paper_encodes_it(values: list[int]) -> None:
    depth = np.array(values, np.uint16)
    np.testing.assert_array_equal(decode_rvl(encode_rvl(depth), len(depth)), depth)


def test_rvl_messages() -> None:
    depth = np.array([[0, 1000, 1001], [65535, 0, 3]], np.uint16)
    head = struct.pack("<iffii", 1, 0, 0, 3, 2)
    message = SimpleNamespace(format="16UC1; compressedDepth rvl", data=head + encode_rvl(depth))
    np.testing.assert_allclose(depth_from_msg(message), [[0, 1, 1.001], [0, 0, 0.003]], rtol=1e-6)
    for data in (head[:10], head, head + encode_rvl(depth)[:4], struct.pack("<iffii", 1, 0, 0, 1 << 20, 1 << 20)):
        with pytest.raises(FrameError) as error:
            depth_from_msg(SimpleNamespace(format=message.format, data=data))
        assert error.value.cause == "bad_depth"
