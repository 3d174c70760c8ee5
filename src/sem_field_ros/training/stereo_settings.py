"""Settings of the training of depth from posed views: apart from the recipe, so that flags cost no heavy import."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.settings import check_settings, setting


@dataclass(frozen=True)
class StereoTraining:
    """What is learned from, and how; the rest is the loop's."""

    network: str = setting("compact", "size of the net; tiny is for tests", choices=("compact", "tiny"))
    encoder: str = setting(
        "imagenet",
        "the frozen encoder of the reference image; imagenet needs the extra sem_field_ros[train]",
        choices=("imagenet", "random"),
    )
    image_width: int = setting(320, "width of the images, pixels", minimum=32)
    views: int = setting(8, "other views that a frame is matched with", minimum=1)
    windows: int = setting(1, "different choices of these views a frame, kept in memory", minimum=1)
    plane_weight: float = setting(0.1, "of the cross-entropy over the depth planes", minimum=0.0)
    validation_frames: int = setting(40, "at most so many frames are validated on, evenly spread", minimum=1)
    seed: int = setting(0, "of the order of the frames and the choice of views", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)
