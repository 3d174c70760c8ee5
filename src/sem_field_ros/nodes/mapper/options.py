"""Options of the mapper node beside camera (ros/camera_options.py) and map (mapping/config.py)."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.errors import SettingError
from sem_field_ros.ros.camera_options import DYNAMIC as CAMERA_DYNAMIC
from sem_field_ros.ros.camera_options import CameraOptions
from sem_field_ros.segmentation.registry import DEFAULT_SEGMENTER, SEGMENTERS
from sem_field_ros.settings import setting

CLOCK_POLICIES = ("keep", "reset")
MAP_JUMP_POLICIES = ("keep", "reset", "new_submap")


@dataclass(frozen=True)
class MapperOptions(CameraOptions):
    """Options of the node `semantic_mapper`. Raises SettingError outside the ranges."""

    autostart: bool = setting(True, "configure and activate by itself at start")
    odom_frame: str = setting("odom", "odometry frame; its jumps against global_frame are watched, empty = never")
    segmenter: str = setting(
        DEFAULT_SEGMENTER,
        f"what labels the pixels: {' | '.join(SEGMENTERS)}",
    )
    label_set: str = setting("", "label set of the map, by name or YAML path; empty = the segmenter's own")
    label_image_set: str = setting("", "label set of the label images 'external' gets; empty = label_set")
    torch_threads: int = setting(0, "CPU threads of the network and the map; 0 = all cores", minimum=0, maximum=256)

    cloud_rate_hz: float = setting(5.0, "semantic_cloud at most this often", minimum=0.01, maximum=100.0)
    mesh_rate_hz: float = setting(1.0, "semantic_mesh at most this often", minimum=0.01, maximum=100.0)
    mesh_refresh_s: float = setting(
        30.0, "every block is sent again within this time, for lossy links; 0 = never", minimum=0.0, maximum=1e6
    )
    min_confidence: float = setting(
        0.0, "labels less certain than this are published as unlabelled", minimum=0.0, maximum=1.0
    )
    mesh_color_by: str = setting("label", "colour of the mesh", choices=("label", "rgb"))
    overlay_opacity: float = setting(0.5, "opacity of the labels in label_overlay", minimum=0.0, maximum=1.0)

    maps_directory: str = setting("~/.ros/sem_field_maps", "save_map and load_map stay inside this directory")
    service_timeout_s: float = setting(
        20.0, "a service waits this long for the mapping thread", minimum=0.1, maximum=600.0
    )

    on_clock_jump: str = setting("keep", "the map when the clock jumps back", choices=CLOCK_POLICIES)
    on_map_jump: str = setting(
        "keep", "the map when odom_frame jumps in global_frame (loop closure)", choices=MAP_JUMP_POLICIES
    )
    map_jump_distance_m: float = setting(
        0.3, "global_frame -> odom_frame moving more than this between frames is a jump", minimum=0.0, maximum=1e6
    )
    map_jump_angle_deg: float = setting(10.0, "the same for its rotation", minimum=0.0, maximum=360.0)
    max_submaps: int = setting(4, "frozen submaps kept; beyond it the oldest leaves", minimum=1, maximum=100)

    diagnostics_rate_hz: float = setting(1.0, "diagnostics this often", minimum=0.05, maximum=50.0)
    warn_input_timeout_s: float = setting(2.0, "WARN when a topic is silent for this long", minimum=0.1, maximum=1e6)
    error_input_timeout_s: float = setting(10.0, "ERROR when a topic is silent for this long", minimum=0.1, maximum=1e6)
    warn_latency_ms: float = setting(500.0, "WARN above this p95 of camera stamp to cloud", minimum=0.0, maximum=1e7)
    error_latency_ms: float = setting(2000.0, "ERROR above this p95 of camera stamp to cloud", minimum=0.0, maximum=1e7)
    warn_processing_ms: float = setting(500.0, "WARN above this p95 of mapping one frame", minimum=0.0, maximum=1e7)
    error_processing_ms: float = setting(5000.0, "ERROR above this p95 of mapping one frame", minimum=0.0, maximum=1e7)
    warn_drop_ratio: float = setting(
        0.5, "WARN when more than this share of the frames is lost", minimum=0.0, maximum=1.0
    )
    error_drop_ratio: float = setting(
        0.95, "ERROR when more than this share of the frames is lost", minimum=0.0, maximum=1.0
    )
    warn_memory_mb: float = setting(3000.0, "WARN above this resident memory", minimum=1.0, maximum=1e7)
    error_memory_mb: float = setting(6000.0, "ERROR above this resident memory", minimum=1.0, maximum=1e7)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.maps_directory:
            raise SettingError("maps_directory is empty: give the directory that maps are saved in")


DYNAMIC = frozenset(
    {
        "cloud_rate_hz",
        "mesh_rate_hz",
        "mesh_refresh_s",
        "min_confidence",
        "mesh_color_by",
        "overlay_opacity",
        "service_timeout_s",
        *CAMERA_DYNAMIC,
        "on_clock_jump",
        "on_map_jump",
        "map_jump_distance_m",
        "map_jump_angle_deg",
        "warn_input_timeout_s",
        "error_input_timeout_s",
        "warn_latency_ms",
        "error_latency_ms",
        "warn_processing_ms",
        "error_processing_ms",
        "warn_drop_ratio",
        "error_drop_ratio",
        "warn_memory_mb",
        "error_memory_mb",
    }
)

YAML_TITLE = (
    "Parameters of semantic_mapper, with their defaults. Generated: python -m sem_field_ros.nodes.mapper.options"
)


def main() -> None:
    """Print config/semantic_mapper.yaml."""
    from sem_field_ros.mapping.config import MapConfig
    from sem_field_ros.ros.parameters import parameters_yaml

    sections = (("the camera", CameraOptions), ("the node", MapperOptions), ("the map", MapConfig))
    print(parameters_yaml(YAML_TITLE, sections, DYNAMIC), end="")


if __name__ == "__main__":
    main()
