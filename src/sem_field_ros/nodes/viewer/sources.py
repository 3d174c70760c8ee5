"""What the node `viewer` shows, beside how (viewer/config.py); `python -m` this prints config/viewer.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.camera_stream.topics import CAMERA_INFO, CAMERA_TOPICS, COLOR, MAPPER, RENDERER
from sem_field_ros.settings import check_settings, setting

YAML_TITLE = "Parameters of viewer, with their defaults. Generated: python -m sem_field_ros.nodes.viewer.sources"


@dataclass(frozen=True)
class ViewerSources:
    """What the node `viewer` shows."""

    mapper: str = setting(MAPPER, "name of the mapper node, whose topics MAPPER/semantic_cloud ... are shown")
    renderer: str = setting(RENDERER, "name of the view renderer, whose service RENDERER/render_view is called")
    image_topic: str = setting(CAMERA_TOPICS[COLOR], "camera image; CompressedImage where it ends in /compressed")
    camera_info_topic: str = setting(CAMERA_TOPICS[CAMERA_INFO], "its intrinsics and frame")
    global_frame: str = setting("", "frame in which the camera is shown; empty = the cloud's")
    label_set: str = setting("", "label set for names and colours, by name or YAML path; empty = the mapper's names")
    query_timeout_s: float = setting(
        3.0, "how long MAPPER/query_points may take to answer for a clicked point", minimum=0.1, maximum=60.0
    )

    view_deadline_s: float = setting(
        1.0, "how long RENDERER/render_view may take for a view; it is coarser if it must", minimum=0.05, maximum=60.0
    )

    def __post_init__(self) -> None:
        check_settings(self)


def parameter_file() -> str:
    """The content of config/viewer.yaml."""
    from sem_field_ros.ros.parameters import parameters_yaml
    from sem_field_ros.viewer.config import ViewerConfig

    return parameters_yaml(YAML_TITLE, (("what is shown", ViewerSources), ("the page", ViewerConfig)))


if __name__ == "__main__":
    print(parameter_file(), end="")
