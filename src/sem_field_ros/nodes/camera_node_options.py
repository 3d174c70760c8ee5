"""Options of every node that feeds a camera to a network, beside those of the camera (ros/camera_options.py)."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.ros.camera_options import DYNAMIC as CAMERA_DYNAMIC
from sem_field_ros.ros.camera_options import CameraOptions
from sem_field_ros.segmentation.registry import DEFAULT_SEGMENTER, SEGMENTERS
from sem_field_ros.settings import setting

CLOCK_POLICIES = ("keep", "reset")


@dataclass(frozen=True)
class CameraNodeOptions(CameraOptions):
    """What the nodes `semantic_mapper` and `view_renderer` have in common. Raises SettingError outside the ranges."""

    autostart: bool = setting(True, "configure and activate by itself at start")
    odom_frame: str = setting("odom", "odometry frame; its jumps against global_frame are watched, empty = never")
    segmenter: str = setting(
        DEFAULT_SEGMENTER,
        f"what labels the pixels: {' | '.join(SEGMENTERS)}",
    )
    label_set: str = setting("", "label set of the result, by name or YAML path; empty = the segmenter's own")
    label_image_set: str = setting("", "label set of the label images 'external' gets; empty = label_set")
    torch_threads: int = setting(0, "CPU threads of the networks and the map; 0 = all cores", minimum=0, maximum=256)
    service_timeout_s: float = setting(
        20.0, "a service waits this long for the thread that works", minimum=0.1, maximum=600.0
    )

    on_clock_jump: str = setting("keep", "what was seen so far when the clock jumps back", choices=CLOCK_POLICIES)
    map_jump_distance_m: float = setting(
        0.3, "global_frame -> odom_frame moving more than this between frames is a jump", minimum=0.0, maximum=1e6
    )
    map_jump_angle_deg: float = setting(10.0, "the same for its rotation", minimum=0.0, maximum=360.0)

    max_camera_speed_m_s: float = setting(
        5.0, "a camera that moves faster from frame to frame has jumped", minimum=0.1, maximum=1e6
    )

    diagnostics_rate_hz: float = setting(1.0, "diagnostics this often", minimum=0.05, maximum=50.0)
    warn_input_timeout_s: float = setting(2.0, "WARN when a topic is silent for this long", minimum=0.1, maximum=1e6)
    error_input_timeout_s: float = setting(10.0, "ERROR when a topic is silent for this long", minimum=0.1, maximum=1e6)
    warn_drop_ratio: float = setting(
        0.5, "WARN when more than this share of the frames is lost", minimum=0.0, maximum=1.0
    )
    error_drop_ratio: float = setting(
        0.95, "ERROR when more than this share of the frames is lost", minimum=0.0, maximum=1.0
    )
    warn_memory_mb: float = setting(3000.0, "WARN above this resident memory", minimum=1.0, maximum=1e7)
    error_memory_mb: float = setting(6000.0, "ERROR above this resident memory", minimum=1.0, maximum=1e7)


DYNAMIC = frozenset(
    {
        *CAMERA_DYNAMIC,
        "service_timeout_s",
        "on_clock_jump",
        "map_jump_distance_m",
        "map_jump_angle_deg",
        "max_camera_speed_m_s",
        "warn_input_timeout_s",
        "error_input_timeout_s",
        "warn_drop_ratio",
        "error_drop_ratio",
        "warn_memory_mb",
        "error_memory_mb",
    }
)
