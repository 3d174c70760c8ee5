"""Settings of a GSNeRF: sizes, depth hypotheses, samples, and the switches of the paper's ablation (Table A3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sem_field_ros.errors import WeightsError

KIND = "gsnerf_field"  # of weights files
SEMANTICS = ("segmenter", "decoder")
SAMPLING = ("guided", "uniform")
LABELS_AT = ("surface", "ray")


@dataclass(frozen=True)
class VolumeLevel:
    """One level of the cascade of cost volumes: at 1/`reduction` of the image, `planes` depth hypotheses.

    reach  of the hypotheses around the depth of the level before, as a share of it; the first level spans near to far
    """

    reduction: int
    planes: int
    reach: float = 0.0


@dataclass(frozen=True)
class GsnerfConfig:
    """One GSNeRF.

    learned        False: the hand-made part alone, without networks and weights
    classes        of the label set                      semantics  what the source views' labels come from: class
                   probabilities of a 2-D `segmenter`, or the paper's `decoder` on its own image features
    channels       of the feature pyramid at 1, 1/2, 1/4 of the image
    groups         of the group-wise correlation         levels     of the cost volumes, coarse to fine
    volume         channels of the 3-D U-Net and of the volume feature
    neighbours     views that a source view is matched with
    near_m, far_m  range of depth, metres along z
    hidden, heads, layers   of the attention across views
    samples        per ray with a target depth; `uniform` per ray without one
    spread         standard deviation of the samples around a predicted target depth, as a share of it; `spread_known`:
                   around one from a sensor or a map
    sampling       `guided` by the target depth, or `uniform` (ablation)
    labels_at      one `surface` point, or all samples of the `ray` (ablation)
    masks          whether views that do not see a point are left out (ablation)
    stride         of the pixels of an image whose density is computed; `label_stride`: whose classes are
    smoothing_m    reach of the smoothing of classes over the surface (rendered_images.py), 0 = none
    """

    kind: ClassVar[str] = KIND

    classes: int
    learned: bool = True
    semantics: str = "segmenter"
    channels: tuple[int, int, int] = (8, 16, 32)
    groups: int = 4
    levels: tuple[VolumeLevel, ...] = (VolumeLevel(4, 40), VolumeLevel(2, 12, 0.12))
    volume: int = 8
    neighbours: int = 6
    near_m: float = 0.3
    far_m: float = 9.0
    hidden: int = 16
    heads: int = 2
    layers: int = 1
    semantic_hidden: int = 24
    samples: int = 9
    uniform: int = 32
    spread: float = 0.08
    spread_known: float = 0.006
    sampling: str = "guided"
    labels_at: str = "surface"
    masks: bool = True
    stride: int = 4
    label_stride: int = 3
    smoothing_m: float = 0.0

    def __post_init__(self) -> None:
        for name, choices in (("semantics", SEMANTICS), ("sampling", SAMPLING), ("labels_at", LABELS_AT)):
            if getattr(self, name) not in choices:
                raise WeightsError(f"GSNeRF: {name} must be one of {', '.join(choices)}, got '{getattr(self, name)}'")
        if not self.learned and self.semantics != "segmenter":
            raise WeightsError("GSNeRF: without networks there is no semantic decoder, use semantics 'segmenter'")
        if self.samples < 1 or self.uniform < 1 or not self.levels:
            raise WeightsError("GSNeRF: needs at least one sample per ray and one cost volume")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return dataclasses.asdict(self)


def paper(classes: int) -> GsnerfConfig:
    """Sizes for ScanNet-scale data on a GPU."""
    levels = VolumeLevel(4, 48), VolumeLevel(2, 32, 0.25), VolumeLevel(1, 8, 0.05)
    return GsnerfConfig(
        classes, groups=8, levels=levels, hidden=32, heads=4, layers=4, semantic_hidden=64, samples=128, uniform=128,
        spread=0.1, stride=1, label_stride=1,
    )  # fmt: skip


def compact(classes: int) -> GsnerfConfig:
    """Trains and renders on two processor cores."""
    return GsnerfConfig(classes, smoothing_m=0.1)


def hand_made(classes: int) -> GsnerfConfig:
    """Without networks: what the others start from."""
    return dataclasses.replace(compact(classes), learned=False)


def tiny(classes: int) -> GsnerfConfig:
    """For tests: the same structure with a few thousand parameters."""
    levels = VolumeLevel(4, 16), VolumeLevel(2, 6, 0.2)
    return GsnerfConfig(
        classes, channels=(4, 4, 8), groups=2, levels=levels, volume=4, neighbours=3, hidden=8, semantic_hidden=8,
        samples=3, uniform=12,
    )  # fmt: skip


SIZES = {"compact": compact, "paper": paper, "tiny": tiny}


def config_from_dict(content: Mapping[str, Any]) -> GsnerfConfig:
    """Read as_dict of a GsnerfConfig. Raises WeightsError in one line."""
    try:
        values = dict(content)
        values["channels"] = tuple(int(c) for c in values["channels"])
        values["levels"] = tuple(VolumeLevel(**level) for level in values["levels"])
        return GsnerfConfig(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a GSNeRF: {error!r}") from error
