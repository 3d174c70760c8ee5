"""Settings of a GNeSF: sizes, the predicted geometry and the switches of the paper's ablation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.gnesf.volume import VolumeConfig

KIND = "gnesf_field"  # of weights files
REPRESENTATIONS = ("sdf", "density")
SEMANTICS = ("probabilities", "logits", "direct")
SPACINGS = ("linear", "log")

Config = TypeVar("Config", bound="GnesfConfig")


@dataclass(frozen=True)
class GnesfConfig:
    """One GNeSF.

    representation  what the head predicts: `sdf` for 3-D segmentation (Eq. 8, 9), `density` for view synthesis (Eq. 7)
    semantics   what the views vote on: class `probabilities`, `logits`, or no vote: classes predicted `direct`ly from
                the feature statistics (Table 4)
    visibility  whether views whose ray to the point is blocked are left out (Sec. 4.2)
    context     whether the 3-D U-Net gets more than the paper's B: position of the cells in the cube, number of views
                that see them, and mean and variance of the images' colours, at their full resolution
    samples     samples per ray                      near_m, far_m  their range, metres from the camera
    spacing     of the samples: `linear`, or `log`: in proportion to the distance, as an image's resolution is (not the
                paper's)
    band        the tr of Eq. 8 as a share of the truncation: with tr itself, samples in free space, whose distance is
                clamped at the truncation, would have 79 % of the surface's weight and pull it to the camera
    """

    kind: ClassVar[str] = KIND

    classes: int
    features: int = 32
    image_channels: tuple[int, ...] = (16, 32, 48, 64)
    volume: VolumeConfig = field(default_factory=VolumeConfig)
    representation: str = "sdf"
    semantics: str = "probabilities"
    visibility: bool = True
    context: bool = True
    base: tuple[int, int] = (64, 32)
    head: tuple[int, int] = (16, 8)
    samples: int = 64
    band: float = 0.125
    near_m: float = 0.2
    far_m: float = 5.0
    spacing: str = "linear"

    def __post_init__(self) -> None:
        if self.spacing not in SPACINGS:
            raise WeightsError(f"GNeSF: spacing '{self.spacing}' must be one of {', '.join(SPACINGS)}")
        if self.representation not in REPRESENTATIONS or self.semantics not in SEMANTICS:
            raise WeightsError(
                f"GNeSF: representation '{self.representation}' must be one of {', '.join(REPRESENTATIONS)} "
                f"and semantics '{self.semantics}' one of {', '.join(SEMANTICS)}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return dataclasses.asdict(self)


def paper(classes: int) -> GnesfConfig:
    """Sizes for ScanNet-scale data: a local volume of 96^3 cells of 4 cm."""
    return GnesfConfig(classes, image_channels=(32, 64, 96, 128), volume=VolumeConfig(96, 0.04, (32, 64, 128)))


def compact(classes: int) -> GnesfConfig:
    """Trains on two processor cores: 40^3 cells of 9 cm."""
    return GnesfConfig(classes, 16, volume=VolumeConfig(40, 0.09, (16, 24, 32)), samples=40, far_m=4.0)


def tiny(classes: int) -> GnesfConfig:
    """For tests: the same structure with a few thousand parameters."""
    volume = VolumeConfig(12, 0.25, (4, 6))
    return GnesfConfig(classes, 6, (4, 6, 8), volume, base=(8, 6), head=(6, 4), samples=16, far_m=3.5)


def config_from_dict(content: Mapping[str, Any], kind: type[Config] = GnesfConfig) -> Config:  # type: ignore[assignment]
    """Read as_dict of a GnesfConfig, or of a `kind` that extends it. Raises WeightsError in one line."""
    try:
        values = dict(content)
        volume = dict(values.pop("volume"))
        volume["channels"] = tuple(int(c) for c in volume["channels"])
        for name in ("image_channels", "base", "head"):
            values[name] = tuple(int(v) for v in values[name])
        if "geometry" in values:  # its name in the cards of version 0.1
            values["representation"] = values.pop("geometry")
        if values.get("rays") is None:
            values.pop("rays", None)
        return kind(**values, volume=VolumeConfig(**volume))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a GNeSF: {error!r}") from error
