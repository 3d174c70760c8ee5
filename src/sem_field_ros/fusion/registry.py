"""Fusions by name: names, help, and making a Fusion of a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sem_field_ros.errors import SettingError, WeightsError, did_you_mean
from sem_field_ros.resources import resource_path

if TYPE_CHECKING:
    from sem_field_ros.fusion.hand_made import Fusion

FUSIONS = {
    "gnesf": "learned soft voting over the views",
    "bayesian": "product of the views' probabilities",
    "majority": "most frequent class of the views",
    "last_wins": "the newest view",
    "confidence": "mean of the views' probabilities, weighted by confidence and view quality",
    "consistency": "as confidence; of several segmenters, each weighted by how well its views agree",
}
ALL = "all"  # every fusion, for flags that take several
FUSION_HELP = "; ".join(f"{name}: {what}" for name, what in FUSIONS.items())
VISIBILITIES = ("depth", "sdf", "none")  # how it is decided which views see a surface point
DEFAULT_FUSION = "consistency"  # at least as good as every other hand-made one, see docs/fusion.md
GNESF_MODEL = "models/gnesf_map/gnesf_map.safetensors"


def chosen_fusions(name: str) -> tuple[str, ...]:
    """The fusions that a flag with choices (ALL, *FUSIONS) asks for."""
    return tuple(FUSIONS) if name == ALL else (name,)


def make_fusion(name: str, weights: str = "", classes: int = 0) -> Fusion:
    """Make a fusion by its name in MapConfig.fusion; `weights` is a file for `gnesf`, empty = the shipped one.

    `classes`: number of classes of the map, 0 = unknown. Raises SettingError with the known names, or WeightsError, for
    example for weights of another number of classes; each in one line.
    """
    if name == "gnesf":
        from sem_field_ros.fusion.learned import load_fusion

        path = weights or resource_path(GNESF_MODEL)
        fusion = load_fusion(path)[0]
        bound = fusion.voter.config.classes
        if bound and classes and bound != classes:
            raise WeightsError(
                f"{path} only votes on {bound} classes, the segmenter has {classes}: choose other weights"
            )
        return fusion
    from sem_field_ros.fusion.hand_made import HAND_MADE

    if name not in HAND_MADE:
        hint = did_you_mean(name, FUSIONS)
        raise SettingError(f"fusion '{name}' is unknown: choose one of {', '.join(FUSIONS)}{hint}")
    return HAND_MADE[name]()
