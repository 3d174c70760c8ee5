"""Settings of the map voter's training: apart from the recipe, so that a command's flags cost no heavy import."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.settings import check_settings, setting

VISIBILITIES = ("depth", "sdf", "none")  # how it is decided which views see a voxel, see collect_votes


@dataclass(frozen=True)
class MapVoterTraining:
    """What is learned from, and how; the rest is the loop's."""

    pooling: str = setting(
        "linear",
        "linear: the paper's weighted mean; log: a weighted product; logits, direct: the paper's ablations",
        choices=("linear", "log", "logits", "direct"),
    )
    features: int = setting(16, "image features that the map keeps of every view", minimum=1, maximum=128)
    views: int = setting(8, "most views that vote on a voxel", minimum=1, maximum=64)
    rows: int = setting(512, "voxels of one scene in a sample", minimum=1)
    noise: float = setting(0.3, "share of the samples in which views are corrupt on purpose", minimum=0.0, maximum=1.0)
    corrupt_share: float = setting(
        0.3, "share of the views that are corrupt there", minimum=0.0, maximum=1.0, formerly=("spoilt_views",)
    )
    feature_dropout: float = setting(
        0.15, "share of the samples without image features, as other segmenters vote", minimum=0.0, maximum=1.0
    )
    rare_power: float = setting(
        0.25,
        "how much more rare classes weigh: their loss is scaled by share to the minus this",
        minimum=0.0,
        maximum=1.0,
    )
    seed: int = setting(0, "of the data order, the choice of views and the noise", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)
