"""Arrays -> sensor_msgs Image. Back: camera_stream/images.py."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

_WRITABLE: dict[str, tuple[type, int]] = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "mono8": (np.uint8, 1),
    "mono16": (np.uint16, 1),
    "16UC1": (np.uint16, 1),
    "32FC1": (np.float32, 1),
}


def image_to_msg(image: np.ndarray, header: Header, encoding: str) -> Image:
    """Array [H, W] or [H, W, 3] -> Image. The array's type must be the encoding's: nothing is converted."""
    if encoding not in _WRITABLE:
        raise ValueError(f"image_to_msg: encoding '{encoding}' is not one of {', '.join(_WRITABLE)}")
    dtype, channels = _WRITABLE[encoding]
    if image.dtype != dtype or image.ndim != (2 if channels == 1 else 3) or image.shape[2:] not in ((), (channels,)):
        raise ValueError(f"image_to_msg: {image.shape} {image.dtype} is not a {encoding} image")
    height, width = image.shape[:2]
    msg = Image(header=header, height=height, width=width, encoding=encoding, is_bigendian=0)
    msg.step = width * channels * image.dtype.itemsize
    msg.data = to_byte_array(image)
    return msg


def labels_to_msg(ids: np.ndarray, header: Header) -> Image:
    """Label ids [h, w] uint8 or uint16 -> mono8 or mono16 (255 / 65535 = unlabelled)."""
    return image_to_msg(ids, header, "mono8" if ids.dtype == np.uint8 else "mono16")


def blend(color: np.ndarray, over: np.ndarray, opacity: float) -> np.ndarray:
    """An overlay: colours [H, W, 3] uint8 over an image, at an opacity from 0 to 1."""
    mixed: Any = color * np.float32(1 - opacity) + over * np.float32(opacity)
    return np.asarray(mixed.round().astype(np.uint8))


def to_byte_array(values: np.ndarray) -> array.array[int]:
    """Return the array's bytes (little-endian hosts) as array('B'): the one type rclpy takes without a slow check."""
    out = array.array("B")
    out.frombytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return out
