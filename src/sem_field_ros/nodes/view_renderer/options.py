"""Options of the node view_renderer; `python -m` this prints config/view_renderer.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.errors import SettingError
from sem_field_ros.nodes.camera_node_options import DYNAMIC as CAMERA_NODE_DYNAMIC
from sem_field_ros.nodes.camera_node_options import CameraNodeOptions
from sem_field_ros.ros.camera_options import CameraOptions
from sem_field_ros.settings import setting

MAP_JUMP_POLICIES = ("keep", "reset")
MAX_DEADLINE_S = 600.0


@dataclass(frozen=True)
class ViewRendererOptions(CameraNodeOptions):
    """Options of the node `view_renderer`. Raises SettingError outside the ranges."""

    field: str = setting(
        "warp", "what renders: warp (moves images along their depth), gsnerf, the name of a folder in models, or a path"
    )
    use_depth: bool = setting(True, "take depth images too: warp needs them, learned fields are sharper with them")
    depth_max_m: float = setting(8.0, "farther depth is ignored", minimum=0.1, maximum=1000.0)
    label_width: int = setting(160, "width of class probabilities that a keyframe keeps, pixels", minimum=16)
    device: str = setting("cpu", "torch device of segmenter and field: cpu, cuda, cuda:1 ...")

    keyframe_distance_m: float = setting(
        0.15, "a frame becomes a keyframe this far from every other one", minimum=0.0, maximum=1000.0
    )
    keyframe_angle_deg: float = setting(15.0, "or turned by this much", minimum=0.0, maximum=180.0)
    keyframe_refresh_s: float = setting(
        30.0, "a keyframe is replaced if the camera is there again this much later; 0 = never", minimum=0.0, maximum=1e6
    )
    max_keyframes: int = setting(
        60, "keyframes kept; beyond it goes the one that others make superfluous", minimum=1, maximum=1000
    )
    max_keyframes_mb: float = setting(500.0, "memory of the keyframes, MB of 10^6 bytes", minimum=1.0, maximum=1e6)

    default_deadline_s: float = setting(
        2.0, "render_view answers within this time unless the request says otherwise", minimum=0.01, maximum=600.0
    )
    max_pixels: int = setting(2_500_000, "larger views are refused", minimum=1, maximum=100_000_000)

    virtual_camera_frame: str = setting(
        "", "optical frame whose view is published on view/ as it moves, while somebody listens; empty = none"
    )
    view_rate_hz: float = setting(
        2.0, "its views at most this often; slow ones take a third of the time", minimum=0.01, maximum=30.0
    )
    view_deadline_s: float = setting(
        0.5, "its views take about this long, coarser if they must", minimum=0.01, maximum=60.0
    )
    view_width: int = setting(320, "width of its images, pixels", minimum=8, maximum=4096)
    view_height: int = setting(240, "height of its images, pixels", minimum=8, maximum=4096)
    view_fov_deg: float = setting(60.0, "its horizontal field of view", minimum=1.0, maximum=170.0)
    overlay_opacity: float = setting(0.5, "opacity of the labels in view/label_overlay", minimum=0.0, maximum=1.0)

    on_map_jump: str = setting(
        "reset", "the keyframes when odom_frame jumps in global_frame (loop closure)", choices=MAP_JUMP_POLICIES
    )
    on_camera_jump: str = setting(
        "keep", "the keyframes when the camera moves too fast (odometry was reset)", choices=MAP_JUMP_POLICIES
    )

    warn_late_ratio: float = setting(
        0.1, "WARN when more than this share of the latest answers was late", minimum=0.0, maximum=1.0
    )
    error_late_ratio: float = setting(0.5, "ERROR above this share", minimum=0.0, maximum=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.field:
            raise SettingError("field is empty: give warp, the name of a folder in models, or a path of weights")


DYNAMIC = frozenset(
    {
        *CAMERA_NODE_DYNAMIC,
        "keyframe_distance_m",
        "keyframe_angle_deg",
        "keyframe_refresh_s",
        "max_keyframes",
        "max_keyframes_mb",
        "default_deadline_s",
        "max_pixels",
        "virtual_camera_frame",
        "view_rate_hz",
        "view_deadline_s",
        "view_width",
        "view_height",
        "view_fov_deg",
        "overlay_opacity",
        "on_map_jump",
        "on_camera_jump",
        "warn_late_ratio",
        "error_late_ratio",
    }
)

YAML_TITLE = (
    "Parameters of view_renderer, with their defaults. Generated: python -m sem_field_ros.nodes.view_renderer.options"
)


def parameter_file() -> str:
    """The content of config/view_renderer.yaml."""
    from sem_field_ros.ros.parameters import parameters_yaml

    sections = (("the camera", CameraOptions), ("the node", CameraNodeOptions), ("the views", ViewRendererOptions))
    return parameters_yaml(YAML_TITLE, sections, DYNAMIC)


if __name__ == "__main__":
    print(parameter_file(), end="")
