"""Parameters of the sequence player; run as a module, it prints config/sequence_player.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.camera_stream.topics import MAPPER
from sem_field_ros.settings import check_settings, setting

YAML_TITLE = "Parameters of sequence_player and their defaults. Generated: python -m sem_field_ros.nodes.player.options"
PACES = ("auto", "stamps", "feedback")


@dataclass(frozen=True)
class PlayerOptions:
    """Parameters of the node `sequence_player`."""

    path: str = setting("", "sequence: a folder (color/, depth/, pose/, ...), an MCAP or sqlite3 bag, or a data set")
    pace: str = setting(
        "auto",
        "when the next frame goes out. stamps: at its time stamp. feedback: when the mapper has finished the ones "
        "before. auto: feedback where the sequence has no time stamps, else stamps",
        choices=PACES,
    )
    rate: float = setting(1.0, "speed by time stamps; 2.0 plays twice as fast", minimum=0.01, maximum=100.0)
    mapper: str = setting(MAPPER, "pace feedback: the mapper node, which publishes MAPPER/frame_done")
    frames_ahead: int = setting(2, "pace feedback: frames on their way to the mapper at once", minimum=1, maximum=100)
    answer_timeout_s: float = setting(
        20.0,
        "pace feedback: without an answer for this long, a frame goes out every second",
        minimum=0.1,
        maximum=3600.0,
    )
    loops: int = setting(1, "times the sequence is played; 0 = until stopped", minimum=0, maximum=1_000_000)
    start_s: float = setting(0.0, "skip this much of the beginning", minimum=0.0, maximum=1e6)
    duration_s: float = setting(0.0, "play only this long from there; 0 = to the end", minimum=0.0, maximum=1e6)
    wait_for_subscribers_s: float = setting(
        60.0, "wait at most this long until every camera topic and /tf has a subscriber; 0 = do not wait",
        minimum=0.0, maximum=3600.0,
    )  # fmt: skip
    topic_prefix: str = setting("camera", "the topics are PREFIX/color/image_raw, PREFIX/depth/image_raw and so on")
    keep_topics: bool = setting(False, "bags: publish under the names that the bag has, compressed images as they are")
    image_reliability: str = setting(
        "reliable", "reliability of the image publishers", choices=("best_effort", "reliable")
    )
    publish_clock: bool = setting(True, "publish /clock; other nodes then need use_sim_time: true")
    clock_rate_hz: float = setting(50.0, "how often /clock is published", minimum=1.0, maximum=1000.0)
    publish_depth: bool = setting(True, "publish the sequence's depth images, where it has any")
    publish_labels: bool = setting(True, "publish the sequence's label images, where it has any")
    label_set: str = setting("", "label set of the label images, where the sequence does not name it")
    map_frame: str = setting("map", "not for bags: world frame of the poses")
    odom_frame: str = setting("odom", "not for bags: odometry frame, published equal to the map frame")
    base_frame: str = setting("base_link", "not for bags: robot frame")
    camera_frame: str = setting("camera_color_optical_frame", "not for bags: optical frame of the images")
    color_topic: str = setting("", "bags: colour images; empty = found by type and name, as all of these")
    camera_info_topic: str = setting("", "bags: their camera_info")
    depth_topic: str = setting("", "bags: depth images seen from the colour camera")
    label_topic: str = setting("", "bags: label images")

    def __post_init__(self) -> None:
        check_settings(self)


def player_yaml() -> str:
    """Return the parameter file that documents the node."""
    from sem_field_ros.ros.parameters import parameters_yaml

    return parameters_yaml(YAML_TITLE, (("what is played, and how", PlayerOptions),))


if __name__ == "__main__":
    print(player_yaml(), end="")
