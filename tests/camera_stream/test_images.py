"""Image messages -> arrays: every encoding, any step and byte order, broken messages. No ROS needed."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg, is_distorted
from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.errors import FrameError


def image(values: np.ndarray, encoding: str, padding: int = 0, big: bool = False, cut: int = 0) -> SimpleNamespace:
    """An Image whose rows end in `padding` bytes of rubbish."""
    height, width = values.shape[:2]
    raw = values.astype(values.dtype.newbyteorder(">" if big else "<")).reshape(height, -1).view(np.uint8)
    rows = np.concatenate([raw, np.full((height, padding), 0xAB, np.uint8)], axis=1)
    data = rows.tobytes()[: rows.size - cut]
    return SimpleNamespace(
        height=height, width=width, encoding=encoding, is_bigendian=int(big), step=rows.shape[1], data=data
    )


def compressed(values: np.ndarray, suffix: str, text: str, head: bytes = b"") -> SimpleNamespace:
    ok, data = cv2.imencode(suffix, values)
    assert ok
    return SimpleNamespace(format=text, data=head + data.tobytes())


def cause_of(read, msg) -> str:
    with pytest.raises(FrameError) as error:
        read(msg)
    assert "\n" not in str(error.value)
    return error.value.cause


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@settings(max_examples=80, deadline=None)
@given(sizes, st.integers(0, 7), st.integers(0, 2**31), st.booleans())
def test_color_encodings_agree(size, padding, seed, big):
    rgb = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    alpha = np.full((*size, 1), 7, np.uint8)
    bgr = rgb[..., ::-1]
    wide = (rgb.astype(np.uint16) << 8) | 0x5A
    for values, encoding in [
        (rgb, "rgb8"),
        (bgr, "bgr8"),
        (bgr, "8UC3"),
        (np.concatenate([rgb, alpha], 2), "rgba8"),
        (np.concatenate([bgr, alpha], 2), "bgra8"),
        (np.concatenate([bgr, alpha], 2), "8UC4"),
        (wide, "rgb16"),
        (wide[..., ::-1], "bgr16"),
    ]:
        out = color_from_msg(image(values, encoding, padding, big))
        assert out.dtype == np.uint8 and out.flags.c_contiguous, encoding
        np.testing.assert_array_equal(out, rgb, err_msg=encoding)
    grey = rgb[..., 0]
    for values, encoding in [(grey, "mono8"), (grey, "8UC1"), (wide[..., 0], "mono16")]:
        out = color_from_msg(image(values, encoding, padding, big))
        np.testing.assert_array_equal(out, np.repeat(grey[..., None], 3, 2), err_msg=encoding)


def test_tight_rgb8_is_not_copied():
    msg = image(np.zeros((4, 5, 3), np.uint8), "rgb8")
    msg.data = bytearray(msg.data)
    out = color_from_msg(msg)
    msg.data[0] = 99
    assert out[0, 0, 0] == 99


@pytest.mark.parametrize("name", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_bayer_patterns_give_the_colour_that_made_them(name, bits):
    colour = {"r": 200, "g": 100, "b": 30}
    tile = np.array([[colour[name[0]], colour[name[1]]], [colour[name[2]], colour[name[3]]]])
    mosaic = np.tile(tile, (4, 4)).astype(np.uint8 if bits == 8 else np.uint16)
    out = color_from_msg(image(mosaic << (bits - 8), f"bayer_{name}{bits}", padding=4))
    np.testing.assert_array_equal(out[4, 4], [200, 100, 30])


@pytest.mark.parametrize(
    ("encoding", "order"), [("uyvy", (1, 0)), ("yuv422", (1, 0)), ("yuyv", (0, 1)), ("yuv422_yuy2", (0, 1))]
)
def test_yuv_pairs(encoding, order):
    pixels = np.zeros((2, 4, 2), np.uint8)
    pixels[..., order[0]] = 235  # luma white, chroma neutral
    pixels[..., order[1]] = 128
    pixels[:, 2:, order[0]] = 16
    out = color_from_msg(image(pixels, encoding, padding=2))
    np.testing.assert_array_equal(out[:, :2], 255)
    np.testing.assert_array_equal(out[:, 2:], 0)
    assert cause_of(color_from_msg, image(pixels[:, :3], encoding)) == "bad_image"


def test_compressed_colour():
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:] = (250, 120, 10)
    np.testing.assert_array_equal(color_from_msg(compressed(rgb[..., ::-1], ".png", "png")), rgb)
    jpeg = color_from_msg(compressed(rgb[..., ::-1], ".jpg", "rgb8; jpeg compressed bgr8"))
    assert np.abs(jpeg.astype(int) - rgb).max() < 5
    assert color_from_msg(compressed(rgb[..., 0], ".png", "mono8; png compressed ")).shape == (16, 16, 3)


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 7), st.integers(0, 2**31), st.booleans())
def test_depth_encodings(size, padding, seed, big):
    millimetres = np.random.default_rng(seed).integers(0, 65536, size, dtype=np.uint16)
    millimetres.flat[0] = 65535
    metres = np.where(millimetres == 65535, 0, millimetres).astype(np.float64) / 1000
    for encoding in ("16UC1", "mono16"):
        out = depth_from_msg(image(millimetres, encoding, padding, big))
        assert out.dtype == np.float32 and out.flags.c_contiguous
        np.testing.assert_allclose(out, metres, rtol=1e-6)
    for dtype, encoding in ((np.float32, "32FC1"), (np.float64, "64FC1")):
        out = depth_from_msg(image(metres.astype(dtype), encoding, padding, big))
        assert out.dtype == np.float32 and out.dtype.isnative
        np.testing.assert_allclose(out, metres, rtol=1e-6)


def test_compressed_depth():
    millimetres = np.array([[0, 1000, 65535], [1, 2, 65534]], np.uint16)
    expected = np.array([[0, 1, 0], [0.001, 0.002, 65.534]])
    np.testing.assert_allclose(depth_from_msg(compressed(millimetres, ".png", "png")), expected, rtol=1e-6)
    transport = compressed(millimetres, ".png", "16UC1; compressedDepth png", head=bytes(12))
    np.testing.assert_allclose(depth_from_msg(transport), expected, rtol=1e-6)
    inverse = np.array([[0, 100, 200]], np.uint16)  # depth = A / (value - B)
    head = struct.pack("<iff", 0, 300.0, 50.0)
    msg = compressed(inverse, ".png", "32FC1; compressedDepth png", head=head)
    np.testing.assert_allclose(depth_from_msg(msg), [[0, 6, 2]])
    assert cause_of(depth_from_msg, compressed(millimetres.astype(np.uint8), ".png", "png")) == "bad_depth"


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 7), st.integers(0, 2**31), st.booleans())
def test_label_encodings(size, padding, seed, big):
    ids = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    for dtype, encoding, out_dtype in [
        (np.uint8, "mono8", np.uint8),
        (np.uint8, "8UC1", np.uint8),
        (np.uint16, "mono16", np.uint16),
        (np.uint16, "16UC1", np.uint16),
        (np.int32, "32SC1", np.uint16),
    ]:
        out = labels_from_msg(image(ids.astype(dtype), encoding, padding, big))
        assert out.dtype == out_dtype
        np.testing.assert_array_equal(out, ids, err_msg=encoding)


def test_label_ids_out_of_range_become_unlabelled():
    out = labels_from_msg(image(np.array([[-1, 3, 70000]], np.int32), "32SC1"))
    np.testing.assert_array_equal(out, [[65535, 3, 65535]])
    np.testing.assert_array_equal(
        labels_from_msg(compressed(np.array([[1, 255]], np.uint8), ".png", "png")), [[1, 255]]
    )
    assert cause_of(labels_from_msg, compressed(np.zeros((2, 2, 3), np.uint8), ".png", "png")) == "bad_labels"


@pytest.mark.parametrize(
    ("read", "encoding", "dtype", "cause"),
    [
        (color_from_msg, "mono8", np.uint8, "bad_image"),
        (depth_from_msg, "32FC1", np.float32, "bad_depth"),
        (labels_from_msg, "mono16", np.uint16, "bad_labels"),
    ],
)
def test_broken_messages_are_one_clear_line(read, encoding, dtype, cause):
    good = np.ones((3, 4), dtype)
    read(image(good, encoding, padding=5, cut=5))  # the last row's padding may be missing
    assert cause_of(read, image(good, encoding, cut=1)) == cause
    for change in ({"height": 0}, {"width": 0}, {"step": 3}, {"step": 0}, {"data": b""}, {"height": 10**9}):
        msg = image(good, encoding)
        vars(msg).update(change)
        assert cause_of(read, msg) == cause, change
    msg = image(good, "nonsense9")
    assert cause_of(read, msg) == "unknown_encoding"
    with pytest.raises(FrameError, match=encoding):
        read(msg)
    for data in (b"", b"no image at all"):
        assert cause_of(read, SimpleNamespace(format="jpeg", data=data)) == cause


def camera_info(**changes) -> SimpleNamespace:
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    fields = {
        "height": 480,
        "width": 640,
        "d": [],
        "k": [500.0, 0, 320, 0, 510, 240, 0, 0, 1],
        "p": [490.0, 0, 318, 0, 0, 495, 239, 0, 0, 0, 1, 0],
        "binning_x": 0,
        "binning_y": 0,
        "roi": roi,
    }
    return SimpleNamespace(**(fields | changes))


def test_intrinsics_of_plain_rectified_binned_and_cropped_cameras():
    camera = intrinsics_from_msg(camera_info())
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height) == (500, 510, 320, 240, 640, 480)
    assert intrinsics_from_msg(camera_info(), rectified=True).fx == 490
    binned = intrinsics_from_msg(camera_info(binning_x=2, binning_y=2))
    assert (binned.width, binned.height, binned.fx, binned.cx) == (320, 240, 250, 159.75)
    roi = SimpleNamespace(x_offset=100, y_offset=50, width=200, height=100)
    cropped = intrinsics_from_msg(camera_info(roi=roi))
    assert (cropped.width, cropped.height, cropped.fx, cropped.cx, cropped.cy) == (200, 100, 500, 220, 190)


@pytest.mark.parametrize(
    "changes",
    [
        {"k": [0.0] * 9, "p": [0.0] * 12},
        {"k": [0.0, 0, 1, 0, 2, 3, 0, 0, 1]},
        {"k": [float("nan")] * 9},
        {"width": 0},
        {"k": []},
    ],
)
def test_unusable_camera_info(changes):
    assert cause_of(intrinsics_from_msg, camera_info(**changes)) == "bad_intrinsics"


def test_distortion_is_seen():
    assert not is_distorted(camera_info()) and not is_distorted(camera_info(d=[0.0] * 5))
    assert is_distorted(camera_info(d=[0.1, 0, 0, 0, 0]))
