"""Everything that steers a GNeSF: sizes, the geometry it predicts and the switches of the paper's ablation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.gnesf.volume import VolumeConfig
from sem_field_ros.fields.ibrnet.ray_density import RayConfig

GEOMETRIES = ("sdf", "density")
SEMANTICS = ("probabilities", "logits", "direct")
SPACINGS = ("linear", "log")


@dataclass(frozen=True)
class GnesfConfig:
    """One GNeSF.

    geometry    what the head predicts: `sdf` for 3-D segmentation (Eq. 8, 9), `density` for view synthesis (Eq. 7)
    semantics   what the views vote with: class `probabilities`, `logits`, or no vote: classes predicted `direct`ly from
                the feature statistics (Table 4)
    visibility  whether views whose ray to the point is blocked are left out (Sec. 4.2)
    context     whether the 3-D U-Net is given more than the paper's B: where cells lie in the cube, how many views see
                them, and the mean and variance of the images' colours, at their full resolution
    samples     samples a ray                        near_m, far_m  where they lie, metres from the camera
    spacing     of the samples: `linear`, or `log`: in proportion to the distance, as an image's resolution is (not the
                paper's)
    band        the tr of Eq. 8 as a share of the truncation: with tr itself, samples in free space, whose distance is
                cut off at the truncation, would weigh 79 % of what the surface does and pull it to the camera
    rays        None is the paper's: density is f_theta(M(x)), colours are voted for like classes. Else, for `density`,
                the views are asked again at every sample (ray_density.py, after IBRNet), M(x) and f_theta beside them
    """

    classes: int
    features: int = 32
    image_channels: tuple[int, ...] = (16, 32, 48, 64)
    volume: VolumeConfig = field(default_factory=VolumeConfig)
    geometry: str = "sdf"
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
    rays: RayConfig | None = None

    def __post_init__(self) -> None:
        if self.spacing not in SPACINGS:
            raise WeightsError(f"GNeSF: spacing '{self.spacing}' must be one of {', '.join(SPACINGS)}")
        if self.rays and self.geometry != "density":
            raise WeightsError("GNeSF: views are asked along rays for a density only")
        if self.geometry not in GEOMETRIES or self.semantics not in SEMANTICS:
            raise WeightsError(
                f"GNeSF: geometry '{self.geometry}' must be one of {', '.join(GEOMETRIES)} and semantics "
                f"'{self.semantics}' one of {', '.join(SEMANTICS)}"
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


def for_views(config: GnesfConfig) -> GnesfConfig:
    """The same size for view synthesis: rays that see the whole room, views asked at every sample."""
    volume = dataclasses.replace(config.volume, cell_m=config.volume.cell_m * 1.5)
    far, samples = 8.0, round(config.samples * 1.6)
    return dataclasses.replace(
        config,
        geometry="density",
        volume=volume,
        samples=samples,
        near_m=0.3,
        far_m=far,
        spacing="log",
        rays=RayConfig(),
    )


def config_from_dict(content: Mapping[str, Any]) -> GnesfConfig:
    """Read GnesfConfig.as_dict. Raises WeightsError in one line."""
    try:
        values = dict(content)
        volume = dict(values.pop("volume"))
        volume["channels"] = tuple(int(c) for c in volume["channels"])
        for name in ("image_channels", "base", "head"):
            values[name] = tuple(int(v) for v in values[name])
        rays = values.pop("rays", None)
        return GnesfConfig(**values, volume=VolumeConfig(**volume), rays=RayConfig(**rays) if rays else None)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a GNeSF: {error!r}") from error
