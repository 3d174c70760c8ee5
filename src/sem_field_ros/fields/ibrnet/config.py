"""Configuration of image-based rendering: a GNeSF of density that samples the views along the ray."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.gnesf import config as gnesf
from sem_field_ros.fields.gnesf.config import GnesfConfig
from sem_field_ros.fields.ibrnet.ray_density import RayConfig

KIND = "ibrnet_field"  # of weights files


@dataclass(frozen=True)
class IbrnetConfig(GnesfConfig):
    """As GnesfConfig, always of `density`; `rays`: sizes of the part along the rays (ray_density.py)."""

    kind: ClassVar[str] = KIND

    representation: str = "density"
    rays: RayConfig = field(default_factory=RayConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.representation != "density":
            raise WeightsError("image-based rendering needs representation 'density'")


def for_views(size: GnesfConfig) -> IbrnetConfig:
    """Image-based rendering of the same size: rays through the whole room, samples spaced in proportion to distance."""
    values = {f.name: getattr(size, f.name) for f in dataclasses.fields(GnesfConfig)}
    volume = dataclasses.replace(size.volume, cell_m=size.volume.cell_m * 1.5)
    changed = {"volume": volume, "samples": round(size.samples * 1.6), "near_m": 0.3, "far_m": 8.0, "spacing": "log"}
    return IbrnetConfig(**{**values, **changed, "representation": "density"})


def config_from_dict(content: Mapping[str, Any]) -> IbrnetConfig:
    """Read IbrnetConfig.as_dict. Raises WeightsError in one line."""
    try:
        rays = RayConfig(**content["rays"])
    except (KeyError, TypeError) as error:
        raise WeightsError(f"not the architecture of image-based rendering: {error!r}") from error
    return gnesf.config_from_dict({**content, "rays": rays}, IbrnetConfig)
