"""Options of the mapper node beside those of all camera nodes and of the map (mapping/config.py)."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.errors import SettingError
from sem_field_ros.nodes.camera_node_options import DYNAMIC as CAMERA_NODE_DYNAMIC
from sem_field_ros.nodes.camera_node_options import CameraNodeOptions
from sem_field_ros.ros.camera_options import CameraOptions
from sem_field_ros.settings import setting

MAP_JUMP_POLICIES = ("keep", "reset", "new_submap")


@dataclass(frozen=True)
class MapperOptions(CameraNodeOptions):
    """Options of the node `semantic_mapper`. Raises SettingError outside the ranges."""

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

    on_map_jump: str = setting(
        "keep", "the map when odom_frame jumps in global_frame (loop closure)", choices=MAP_JUMP_POLICIES
    )
    on_camera_jump: str = setting(
        "keep", "the map when the camera moves impossibly fast (odometry was reset)", choices=MAP_JUMP_POLICIES
    )
    max_submaps: int = setting(4, "frozen submaps kept; beyond it the oldest leaves", minimum=1, maximum=100)

    warn_latency_ms: float = setting(500.0, "WARN above this p95 of camera stamp to cloud", minimum=0.0, maximum=1e7)
    error_latency_ms: float = setting(2000.0, "ERROR above this p95 of camera stamp to cloud", minimum=0.0, maximum=1e7)
    warn_processing_ms: float = setting(500.0, "WARN above this p95 of mapping one frame", minimum=0.0, maximum=1e7)
    error_processing_ms: float = setting(5000.0, "ERROR above this p95 of mapping one frame", minimum=0.0, maximum=1e7)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.maps_directory:
            raise SettingError("maps_directory is empty: give the directory that maps are saved in")


DYNAMIC = frozenset(
    {
        *CAMERA_NODE_DYNAMIC,
        "cloud_rate_hz",
        "mesh_rate_hz",
        "mesh_refresh_s",
        "min_confidence",
        "mesh_color_by",
        "overlay_opacity",
        "on_map_jump",
        "on_camera_jump",
        "warn_latency_ms",
        "error_latency_ms",
        "warn_processing_ms",
        "error_processing_ms",
    }
)

YAML_TITLE = (
    "Parameters of semantic_mapper, with their defaults. Generated: python -m sem_field_ros.nodes.mapper.options"
)


YAML_SECTIONS = (("the camera", CameraOptions), ("the node", CameraNodeOptions), ("the mapper", MapperOptions))


def main() -> None:
    """Print config/semantic_mapper.yaml."""
    from sem_field_ros.mapping.config import MapConfig
    from sem_field_ros.ros.parameters import parameters_yaml

    print(parameters_yaml(YAML_TITLE, (*YAML_SECTIONS, ("the map", MapConfig)), DYNAMIC), end="")


if __name__ == "__main__":
    main()
