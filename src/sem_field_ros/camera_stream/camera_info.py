"""sensor_msgs/CameraInfo -> Intrinsics and lens, for messages of rclpy and of rosbags."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import Intrinsics

_RECTIFIED = {"rect", "rectified"}  # words in the name of an image topic: image_rect, image_rect_color
_MODELS = ("plumb_bob", "rational_polynomial", "equidistant")
_SMALL = 1e-6  # distortion coefficients below it bend no ray


@dataclass(frozen=True)
class Lens:
    """The distortion of a camera whose images are not rectified; `camera` holds for both, distorted and not."""

    model: str
    coefficients: tuple[float, ...]
    camera: Intrinsics

    def undistorted(self, image: np.ndarray, interpolation: int, border: int = 0) -> np.ndarray:
        """The image [H, W, ...] as a pinhole with the same intrinsics sees it; `border` where the lens saw nothing."""
        size = image.shape[1], image.shape[0]
        columns, rows = _maps(self.model, self.coefficients, self.camera.scaled(*size))
        return np.asarray(cv2.remap(image, columns, rows, interpolation, borderValue=(border,) * 4))


def intrinsics_from_msg(msg: Any, rectified: bool = False) -> Intrinsics:
    """Return the pinhole intrinsics of the images that come with a CameraInfo; binning and region are applied.

    Uses K, or with `rectified`, or where K is empty, the left 3x3 of P. Numbers that fit the images as they come better
    than the full sensor are taken as they are: some drivers apply region and binning to K themselves. Raises FrameError
    (cause `bad_intrinsics`).
    """
    fx, fy, cx, cy = _numbers(msg, rectified)
    roi, full = msg.roi, (int(msg.width), int(msg.height))
    cropped = roi.width > 0 and roi.height > 0
    width, height = (int(roi.width), int(roi.height)) if cropped else full
    bin_x, bin_y = max(1, int(msg.binning_x)), max(1, int(msg.binning_y))
    final = width // bin_x, height // bin_y
    if final != full and _off_centre(cx, cy, final) < _off_centre(cx, cy, full):
        return Intrinsics(fx, fy, cx, cy, *final)
    if cropped:
        cx, cy = cx - roi.x_offset, cy - roi.y_offset
    return Intrinsics(fx, fy, cx, cy, width, height).scaled(*final)


def lens_from_msg(msg: Any, camera: Intrinsics) -> Lens | None:
    """The lens of unrectified images with the intrinsics `camera`; None without distortion.

    Raises FrameError (cause `bad_intrinsics`) for coefficients that are not finite or not those of the model.
    """
    coefficients = tuple(float(value) for value in msg.d)
    if not any(abs(value) > _SMALL or value != value for value in coefficients) or msg.distortion_model not in _MODELS:
        return None
    fits = len(coefficients) == 4 if msg.distortion_model == "equidistant" else len(coefficients) in (4, 5, 8, 12, 14)
    if not np.isfinite(coefficients).all() or not fits:
        shown = ", ".join(f"{value:g}" for value in coefficients[:8])
        raise FrameError(f"CameraInfo.d ({shown}) is no distortion of model '{msg.distortion_model}'", "bad_intrinsics")
    return Lens(msg.distortion_model, coefficients, camera)


def is_distorted(msg: Any) -> bool:
    """Whether a CameraInfo describes lens distortion."""
    return bool(np.any(np.abs(np.asarray(msg.d, dtype=np.float64)) > _SMALL))


def lens_problem(msg: Any) -> str:
    """What to tell of a lens distortion whose model is unknown, so that it is not undone; empty without."""
    if not is_distorted(msg) or msg.distortion_model in _MODELS:
        return ""
    return f"the lens distortion of model '{msg.distortion_model}' is not undone: remap to rectified image topics"


def is_rectified_topic(topic: str) -> bool:
    """Whether an image topic carries rectified images, by its name: image_rect, image_rect_color/compressed ..."""
    return not _RECTIFIED.isdisjoint(topic.lower().replace("/", "_").split("_"))


def _numbers(msg: Any, rectified: bool) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy of K or P."""
    K, P = np.asarray(msg.k, np.float64).reshape(-1), np.asarray(msg.p, np.float64).reshape(-1)
    if K.size != 9 or P.size != 12:
        raise FrameError(f"CameraInfo has {K.size} values in k and {P.size} in p instead of 9 and 12", "bad_intrinsics")
    if (rectified and P[0] != 0) or (not K.any() and P[0] != 0):
        K = P.reshape(3, 4)[:, :3].reshape(-1)
    return float(K[0]), float(K[4]), float(K[2]), float(K[5])


def _off_centre(cx: float, cy: float, size: tuple[int, int]) -> float:
    """How far a principal point lies from the middle of an image, in sides."""
    return max(abs(c / max(1, n) - 0.5) for c, n in zip((cx, cy), size, strict=True))


@lru_cache(maxsize=8)
def _maps(model: str, coefficients: tuple[float, ...], camera: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    K, size, D = camera.matrix, (camera.width, camera.height), np.array(coefficients)
    if model == "equidistant":
        return cv2.fisheye.initUndistortRectifyMap(K, D, np.eye(3), K, size, cv2.CV_32FC1)
    return cv2.initUndistortRectifyMap(K, D, np.eye(3), K, size, cv2.CV_32FC1)
