"""FrameBundle (messages) + pose -> PosedFrame (arrays): decoded, undistorted, depth of the colour camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sem_field_ros.camera_stream.camera_info import Lens, intrinsics_from_msg, is_rectified_topic, lens_from_msg
from sem_field_ros.camera_stream.depth_registration import DepthSource, depth_of_color_camera
from sem_field_ros.camera_stream.images import MILLIMETRES, color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.camera_stream.pairing import FrameBundle
from sem_field_ros.frame import PosedFrame

_LARGEST_DEPTH = 4  # a depth image has at most this many times the colour image's sides
IMAGE_KINDS = ("auto", "rectified", "raw")


@dataclass(frozen=True)
class StreamSetup:
    """How the messages of a camera are to be understood.

    color_images  one of IMAGE_KINDS; auto: rectified if the topic's name says so
    """

    color_topic: str = ""
    depth_topic: str = ""
    color_images: str = "auto"
    depth_units_per_m: float = MILLIMETRES

    @property
    def color_is_rectified(self) -> bool:
        """Whether colour images are rectified: their camera is P of the CameraInfo, and they have no distortion."""
        return self.color_images == "rectified" or (
            self.color_images == "auto" and is_rectified_topic(self.color_topic)
        )


def frame_from_bundle(
    bundle: FrameBundle,
    T_world_camera: np.ndarray,
    name: str = "",
    setup: StreamSetup | None = None,
    depth_source: DepthSource | None = None,
) -> PosedFrame:
    """Decode a bundle. Raises FrameError with the cause, e.g. bad_image, unknown_encoding, bad_intrinsics.

    Without `depth_source` depth is taken for registered to the colour camera.
    """
    setup = setup or StreamSetup()
    camera = intrinsics_from_msg(bundle.camera_info, setup.color_is_rectified)
    camera.check_plausible()  # before anything is decoded to its size
    lens = None if setup.color_is_rectified else lens_from_msg(bundle.camera_info, camera)
    size = camera.width, camera.height
    color = color_from_msg(bundle.color, most=size)
    labels = None if bundle.labels is None else labels_from_msg(bundle.labels)
    depth = None
    if bundle.depth is not None:
        most = size[0] * _LARGEST_DEPTH, size[1] * _LARGEST_DEPTH
        depth = depth_from_msg(bundle.depth, setup.depth_units_per_m, most)
    if lens is not None and color.shape[:2] == size[::-1]:
        color = lens.undistorted(color, cv2.INTER_LINEAR)
        labels = None if labels is None else _undistorted_labels(lens, labels)
    if depth is not None:
        depth = _depth(bundle, depth, lens, setup, depth_source)
    return PosedFrame(bundle.stamp_ns, color, camera, T_world_camera, depth, labels, name)


def _depth(
    bundle: FrameBundle, depth: np.ndarray, lens: Lens | None, setup: StreamSetup, source: DepthSource | None
) -> np.ndarray:
    """Depth of the undistorted colour camera: depth that was registered to raw images is bent as they are."""
    camera = intrinsics_from_msg(bundle.camera_info, setup.color_is_rectified)
    registered = depth
    if source is not None and bundle.depth is not None:
        frames = bundle.depth.header.frame_id, bundle.color.header.frame_id
        registered = depth_of_color_camera(depth, *frames, camera, source)
    if lens is None or registered is not depth or is_rectified_topic(setup.depth_topic):
        return registered
    return lens.undistorted(depth, cv2.INTER_NEAREST)


def _undistorted_labels(lens: Lens, labels: np.ndarray) -> np.ndarray:
    unlabelled = 255 if labels.dtype == np.uint8 else 65535
    return lens.undistorted(labels, cv2.INTER_NEAREST, unlabelled)
