"""Settings of the training of a whole GNeSF: apart from the recipe, so that a command's flags cost no heavy import."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.settings import check_settings, setting


@dataclass(frozen=True)
class FieldTraining:
    """What is learned from, and how; the rest is the loop's."""

    network: str = setting(
        "compact", "size of the field; tiny is for tests, paper for ScanNet", choices=("compact", "paper", "tiny")
    )
    geometry: str = setting(
        "sdf", "sdf: maps from RGB alone; density: view synthesis (Eq. 7)", choices=("sdf", "density")
    )
    semantics: str = setting(
        "probabilities",
        "what the views vote with; direct predicts classes without a vote",
        choices=("probabilities", "logits", "direct"),
    )
    visibility: bool = setting(True, "views whose ray to a point is blocked do not vote")
    image_based: bool = setting(
        True, "density: views are asked at every sample of a ray, not in the volume alone", formerly=("ask_views",)
    )
    depth_share: float = setting(0.3, "density: share of the windows whose sources have depth as a cue", minimum=0.0)
    image_width: int = setting(320, "width of the images the field sees, pixels", minimum=32)
    views: int = setting(7, "source views of a window", minimum=2)
    points: int = setting(8192, "points a window with a signed distance from the depth images", minimum=1)
    rays: int = setting(192, "rays rendered of each target view", minimum=1)
    class_weight: float = setting(0.25, "of the cross-entropy of rendered classes (Eq. 6)", minimum=0.0)
    color_weight: float = setting(0.5, "of the absolute error of rendered colours", minimum=0.0)
    depth_weight: float = setting(1.0, "of the geometry's loss where there is depth", minimum=0.0)
    validation_windows: int = setting(24, "windows that are validated on, evenly spread", minimum=1)
    seed: int = setting(0, "of the windows that are drawn", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)
