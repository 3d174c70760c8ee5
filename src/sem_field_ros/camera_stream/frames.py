"""FrameBundle (messages) + pose -> PosedFrame (arrays)."""

from __future__ import annotations

import numpy as np

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg
from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.camera_stream.pairing import FrameBundle
from sem_field_ros.frame import PosedFrame


def frame_from_bundle(bundle: FrameBundle, T_world_camera: np.ndarray, name: str = "") -> PosedFrame:
    """Decode a bundle. Raises FrameError with the cause, e.g. bad_image, unknown_encoding, bad_intrinsics."""
    return PosedFrame(
        stamp_ns=bundle.stamp_ns,
        color=color_from_msg(bundle.color),
        camera=intrinsics_from_msg(bundle.camera_info),
        T_world_camera=T_world_camera,
        depth=None if bundle.depth is None else depth_from_msg(bundle.depth),
        labels=None if bundle.labels is None else labels_from_msg(bundle.labels),
        name=name,
    )
