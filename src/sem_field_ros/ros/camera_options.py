"""Options of a node's camera input: frame, topics' transport and reliability, pairing, transforms, time jumps."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.camera_stream.frames import IMAGE_KINDS
from sem_field_ros.camera_stream.images import MILLIMETRES
from sem_field_ros.errors import SettingError
from sem_field_ros.settings import check_settings, setting


@dataclass(frozen=True)
class CameraOptions:
    """Parameters that every node with a camera input has. Raises SettingError outside the ranges."""

    global_frame: str = setting("map", "fixed frame that camera poses are given in; a map is built in it")
    color_transport: str = setting(
        "raw", "colour topic: raw Image, or CompressedImage at .../compressed", choices=("raw", "compressed")
    )
    depth_transport: str = setting(
        "raw", "depth topic: raw Image, or CompressedImage at .../compressedDepth", choices=("raw", "compressed")
    )
    color_images: str = setting(
        "auto",
        "rectified: the camera is P of CameraInfo; raw: it is K, and its lens distortion is undone; auto: by the topic",
        choices=IMAGE_KINDS,
    )
    depth_units_per_m: float = setting(
        MILLIMETRES, "unit of 16-bit depth images: so many a metre", minimum=1e-3, maximum=1e9
    )
    image_reliability: str = setting(
        "best_effort", "reliability of the image subscriptions", choices=("best_effort", "reliable")
    )
    pairing_slop_s: float = setting(
        0.02, "colour, depth and label stamps may differ by this much", minimum=0.0, maximum=10.0
    )
    pairing_queue_size: int = setting(10, "messages a topic that wait for their partners", minimum=1, maximum=1000)
    transform_tolerance_s: float = setting(
        0.5, "a frame waits this long for its transform, then it is dropped", minimum=0.0, maximum=60.0
    )
    max_waiting_frames: int = setting(
        15, "frames that wait for their transform; beyond it the oldest is dropped", minimum=1, maximum=1000
    )
    max_ready_frames: int = setting(
        4, "frames that wait to be used; beyond it the oldest is dropped", minimum=1, maximum=100
    )
    clock_jump_s: float = setting(
        1.0, "stamps that go back by more than this are a clock jump, by less unordered", minimum=0.0, maximum=3600.0
    )
    max_gap_s: float = setting(
        5.0, "frames that come this long after the last one are counted as a gap", minimum=0.1, maximum=1e6
    )

    def __post_init__(self) -> None:
        check_settings(self)
        object.__setattr__(self, "global_frame", self.global_frame.lstrip("/"))  # as tf2 has frames; ROS 1 did not
        if not self.global_frame:
            raise SettingError("global_frame is empty: give the fixed frame of the camera poses, usually 'map'")


DYNAMIC = frozenset({"transform_tolerance_s"})  # may change while the input is open
