"""sensor_msgs Image and CompressedImage -> numpy arrays, for messages of rclpy and of rosbags.

Step, byte order and encoding are honoured; the pixels are copied only where they must be converted.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np

from sem_field_ros.camera_stream.encoded_images import MAX_PIXELS, Size, decode_image
from sem_field_ros.camera_stream.rvl import decode_rvl
from sem_field_ros.errors import FrameError

# encoding: (dtype, channels); the conversion to RGB is in _to_rgb
_COLOR: dict[str, tuple[str, int]] = {
    "rgb8": ("u1", 3),
    "bgr8": ("u1", 3),
    "rgba8": ("u1", 4),
    "bgra8": ("u1", 4),
    "rgb16": ("u2", 3),
    "bgr16": ("u2", 3),
    "rgba16": ("u2", 4),
    "bgra16": ("u2", 4),
    "mono8": ("u1", 1),
    "mono16": ("u2", 1),
    "8UC1": ("u1", 1),
    "8UC3": ("u1", 3),
    "8UC4": ("u1", 4),
    "uyvy": ("u1", 2),
    "yuv422": ("u1", 2),
    "yuyv": ("u1", 2),
    "yuv422_yuy2": ("u1", 2),
    "bayer_rggb8": ("u1", 1),
    "bayer_bggr8": ("u1", 1),
    "bayer_gbrg8": ("u1", 1),
    "bayer_grbg8": ("u1", 1),
    "bayer_rggb16": ("u2", 1),
    "bayer_bggr16": ("u2", 1),
    "bayer_gbrg16": ("u2", 1),
    "bayer_grbg16": ("u2", 1),
}
_DEPTH = {"32FC1": ("f4", 1), "64FC1": ("f8", 1), "16UC1": ("u2", 1), "mono16": ("u2", 1)}
_LABELS = {
    "mono8": ("u1", 1),
    "8UC1": ("u1", 1),
    "mono16": ("u2", 1),
    "16UC1": ("u2", 1),
    "16SC1": ("i2", 1),
    "32SC1": ("i4", 1),
}
_TO_RGB = {
    "bgr": cv2.COLOR_BGR2RGB,
    "rgba": cv2.COLOR_RGBA2RGB,
    "bgra": cv2.COLOR_BGRA2RGB,
    "mono": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
    "8UC3": cv2.COLOR_BGR2RGB,  # these encodings leave the order open: OpenCV's own
    "8UC4": cv2.COLOR_BGRA2RGB,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,  # OpenCV names a pattern by its second row, read from the second column
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}
INVALID_DEPTH = 65535  # many drivers use it as well as 0
MILLIMETRES = 1000.0  # units of 16-bit depth per metre, unless told otherwise
MAX_DIMENSION = 16384  # a larger side is a corrupt header


def color_from_msg(msg: Any, most: Size | None = None) -> np.ndarray:
    """Image or CompressedImage (jpeg, png, ...) -> [H, W, 3] uint8 RGB.

    `most` is the largest width and height that a CompressedImage is decoded to. Raises FrameError:
    `unknown_encoding`, or `bad_image` for empty, short, cut or undecodable ones.
    """
    if _is_compressed(msg):
        decoded = _decompress(msg, cv2.IMREAD_COLOR, "colour", "bad_image", most=most)
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    pixels = _pixels(msg, _COLOR, "colour", "bad_image")
    if msg.encoding == "rgb8":
        return np.ascontiguousarray(pixels)
    if pixels.dtype.itemsize == 2:
        pixels = (pixels >> 8).astype(np.uint8)
    name = msg.encoding.rstrip("0123456789") if msg.encoding not in _TO_RGB else msg.encoding
    if name == "rgb":
        return np.ascontiguousarray(pixels)
    if (name.startswith("bayer") and min(pixels.shape[:2]) < 2) or (pixels.shape[2] == 2 and pixels.shape[1] % 2):
        raise FrameError(f"a {msg.encoding} image cannot be {msg.width}x{msg.height}", cause="bad_image")
    return cv2.cvtColor(np.ascontiguousarray(pixels), _TO_RGB[name])


def depth_from_msg(msg: Any, units_per_m: float = MILLIMETRES, most: Size | None = None) -> np.ndarray:
    """Depth image -> [h, w] float32 metres; floats in metres keep NaN and the like, which PosedFrame sets to 0.

    16UC1 and mono16 have `units_per_m` (0 and 65535 invalid), 32FC1 and 64FC1 are metres; CompressedImage of the
    compressedDepth transport is understood up to `most` (width, height). Raises FrameError: `unknown_encoding` or
    `bad_depth`.
    """
    if _is_compressed(msg):
        return _depth_from_compressed(msg, units_per_m, most)
    pixels = _pixels(msg, _DEPTH, "depth", "bad_depth")[:, :, 0]
    if pixels.dtype.kind == "u":
        return depth_in_metres(pixels, units_per_m)
    return np.ascontiguousarray(pixels, dtype=np.float32)


def depth_in_metres(pixels: np.ndarray, units_per_m: float = MILLIMETRES) -> np.ndarray:
    """Stored depth [h, w] uint16 (0 and 65535 invalid) -> [h, w] float32 metres, 0 = invalid."""
    depth = pixels.astype(np.float32)
    depth[pixels == INVALID_DEPTH] = 0
    depth *= np.float32(1 / units_per_m)
    return depth


def labels_from_msg(msg: Any) -> np.ndarray:
    """Label image -> ids [h, w] uint8 (mono8, 8UC1, png) or uint16 (mono16, 16UC1, 32SC1: 65535 = out of range).

    Raises FrameError: `unknown_encoding` or `bad_labels`.
    """
    if _is_compressed(msg):
        labels = _decompress(msg, cv2.IMREAD_UNCHANGED, "label", "bad_labels")
        if labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16):
            raise FrameError("a compressed label image must be a grey 8 or 16 bit png", cause="bad_labels")
        return labels
    pixels = _pixels(msg, _LABELS, "label", "bad_labels")[:, :, 0]
    if pixels.dtype.kind == "i":
        pixels = np.where((pixels < 0) | (pixels > 65535), 65535, pixels)
    return np.ascontiguousarray(pixels, dtype=np.uint8 if pixels.dtype.itemsize == 1 else np.uint16)


def _is_compressed(msg: Any) -> bool:
    return hasattr(msg, "format") and not hasattr(msg, "encoding")


def _pixels(msg: Any, known: dict[str, tuple[str, int]], kind: str, cause: str) -> np.ndarray:
    """View [h, w, channels] of an Image's data in its own byte order, without copy."""
    if msg.encoding not in known:
        message = f"{kind} image has encoding '{msg.encoding}', which is not one of: {', '.join(known)}"
        raise FrameError(message, cause="unknown_encoding")
    code, channels = known[msg.encoding]
    dtype = np.dtype((">" if msg.is_bigendian else "<") + code)
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    if not (0 < height <= MAX_DIMENSION and 0 < width <= MAX_DIMENSION):
        raise FrameError(f"{kind} image has size {width}x{height}", cause=cause)
    row = width * channels * dtype.itemsize
    data = np.frombuffer(msg.data, dtype=np.uint8) if len(msg.data) else np.zeros(0, np.uint8)
    if step < row or len(data) < step * (height - 1) + row:
        message = (
            f"{kind} image is broken: {width}x{height} {msg.encoding} with step {step} needs rows of {row} bytes "
            f"and has {len(data)} bytes in all"
        )
        raise FrameError(message, cause=cause)
    strides = (step, channels * dtype.itemsize, dtype.itemsize)
    return np.ndarray((height, width, channels), dtype, buffer=data, strides=strides)


def _decompress(msg: Any, flags: int, kind: str, cause: str, skip: int = 0, most: Size | None = None) -> np.ndarray:
    what = f"compressed {kind} image ('{str(msg.format)[:40]}')"
    return decode_image(bytes(msg.data[skip:]), flags, what, cause, most)


def _depth_from_compressed(msg: Any, units_per_m: float, most: Size | None) -> np.ndarray:
    """compressed_depth_image_transport: 12 bytes (format, A, B), then a 16 bit png or RVL; floats are A/(v - B)."""
    is_transport = "compressedDepth" in msg.format
    if is_transport and "rvl" in msg.format.lower():
        pixels = _depth_from_rvl(bytes(msg.data), most)
    else:
        pixels = _decompress(msg, cv2.IMREAD_UNCHANGED, "depth", "bad_depth", 12 if is_transport else 0, most)
    if pixels.ndim != 2 or pixels.dtype != np.uint16:
        kind = f"{pixels.dtype} with {1 if pixels.ndim == 2 else pixels.shape[2]} channels"
        raise FrameError(f"a compressed depth image must be a grey 16 bit png, this one is {kind}", cause="bad_depth")
    if is_transport and msg.format.startswith("32FC1"):
        _, a, b = struct.unpack("<iff", bytes(msg.data[:12]))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(pixels > 0, a / (pixels.astype(np.float32) - b), 0).astype(np.float32)
    return depth_in_metres(pixels, units_per_m)


def _depth_from_rvl(content: bytes, most: Size | None) -> np.ndarray:
    """12 bytes as above, then columns and rows as int32, then the RVL stream."""
    if len(content) < 20:
        raise FrameError(f"a compressedDepth rvl message has only {len(content)} bytes", cause="bad_depth")
    width, height = struct.unpack("<ii", content[12:20])
    if min(width, height) < 1 or width * height > MAX_PIXELS or (most and (width > most[0] or height > most[1])):
        raise FrameError(f"a compressedDepth rvl message says {width}x{height} pixels", cause="bad_depth")
    try:
        return decode_rvl(content[20:], width * height).reshape(height, width)
    except ValueError as error:
        raise FrameError(f"compressed depth image cannot be decoded: {error}", cause="bad_depth") from error
