"""Whether depth belongs to the colour camera's pixels; if not, registers it with both CameraInfos and the transform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg
from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.registration import register_depth
from sem_field_ros.geometry.transform_tree import TransformError

REGISTERED_WORDS = ("aligned_depth", "depth_registered", "depth_to_color", "depth_to_rgb")  # in topic names
_SAME_CAMERA = 0.02  # of the image's side: intrinsics that differ by less are those of one camera


@dataclass(frozen=True)
class DepthSource:
    """Where depth comes from, beside its image.

    topic        its name says whether the driver registers it
    camera_info  the CameraInfo beside it, None if there is none
    lookup       (target frame, source frame) -> T_target_source at the frame's time; raises TransformError
    """

    topic: str
    camera_info: Any | None
    lookup: Callable[[str, str], np.ndarray]

    @property
    def is_registered(self) -> bool:
        """Whether depth is registered to the colour camera, by the name of its topic."""
        return any(word in self.topic for word in REGISTERED_WORDS)


def depth_of_color_camera(
    depth: np.ndarray, depth_frame: str, color_frame: str, color: Intrinsics, source: DepthSource
) -> np.ndarray:
    """Depth [h, w] (metres) as the colour camera sees it: as it is if the two are one camera, else registered.

    Raises FrameError (cause `depth_not_registered`) if it is of another camera and cannot be registered.
    """
    one_frame = depth_frame.lstrip("/") in ("", color_frame.lstrip("/"))
    if source.is_registered or (one_frame and source.camera_info is None):
        return depth
    if source.camera_info is None:
        raise _not_registered(depth_frame, color_frame, f"no CameraInfo comes beside {source.topic}")
    own = intrinsics_from_msg(source.camera_info).scaled(depth.shape[1], depth.shape[0])
    if one_frame and _same(own, color):
        return depth
    try:
        T_color_depth = np.eye(4) if one_frame else source.lookup(color_frame, depth_frame)
    except TransformError as error:
        raise _not_registered(depth_frame, color_frame, str(error)) from error
    depth = np.where((depth > 0) & np.isfinite(depth), depth, np.float32(0))
    return register_depth(depth, own, _no_finer(color, own), T_color_depth)


def _no_finer(color: Intrinsics, depth: Intrinsics) -> Intrinsics:
    """The colour camera with at most the depth camera's angular resolution, so that registered depth has no holes."""
    scale = min(1.0, depth.fx / color.fx, depth.fy / color.fy)
    return color.scaled(max(1, int(color.width * scale)), max(1, int(color.height * scale)))


def _same(depth: Intrinsics, color: Intrinsics) -> bool:
    color = color.scaled(depth.width, depth.height)
    a = np.array([depth.fx, depth.fy, depth.cx, depth.cy])
    b = np.array([color.fx, color.fy, color.cx, color.cy])
    return bool(np.abs(a - b).max() <= _SAME_CAMERA * max(depth.width, depth.height))


def _not_registered(depth_frame: str, color_frame: str, why: str) -> FrameError:
    return FrameError(
        f"depth is in frame '{depth_frame}', colour in '{color_frame}', and cannot be registered: {why}; publish depth "
        "that is registered to colour (align_depth), or its CameraInfo and TF",
        cause="depth_not_registered",
    )
