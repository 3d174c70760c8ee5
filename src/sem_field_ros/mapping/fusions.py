"""Fusions by name: the one place where MapConfig.fusion becomes a Fusion."""

from __future__ import annotations

from sem_field_ros.errors import SettingError, WeightsError
from sem_field_ros.mapping.config import FUSIONS
from sem_field_ros.mapping.fusion import HAND_MADE, Fusion
from sem_field_ros.mapping.learned_fusion import load_fusion
from sem_field_ros.resources import resource_path

GNESF_MODEL = "models/gnesf_map/gnesf_map.safetensors"


def make_fusion(name: str, weights: str = "", classes: int = 0) -> Fusion:
    """Make a fusion by its name in MapConfig.fusion; `weights` is a file for `gnesf`, empty = the shipped one.

    `classes` is how many the map has, 0 = not known yet. Raises SettingError with the known names, or WeightsError, as
    where the weights are bound to another number of classes; each in one line.
    """
    if name == "gnesf":
        path = weights or resource_path(GNESF_MODEL)
        fusion = load_fusion(path)[0]
        bound = fusion.voter.config.classes
        if bound and classes and bound != classes:
            raise WeightsError(
                f"{path} only votes on {bound} classes, the segmenter has {classes}: choose other weights"
            )
        return fusion
    if name not in HAND_MADE:
        raise SettingError(f"fusion '{name}' is unknown: choose one of {', '.join(FUSIONS)}")
    return HAND_MADE[name]()
