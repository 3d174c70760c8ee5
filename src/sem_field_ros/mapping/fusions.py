"""Fusions by name: the one place where MapConfig.fusion becomes a Fusion."""

from __future__ import annotations

from sem_field_ros.errors import SettingError
from sem_field_ros.mapping.config import FUSIONS
from sem_field_ros.mapping.fusion import HAND_MADE, Fusion
from sem_field_ros.mapping.learned_fusion import load_fusion
from sem_field_ros.resources import resource_path

GNESF_MODEL = "models/gnesf_map/gnesf_map.safetensors"


def make_fusion(name: str, weights: str = "") -> Fusion:
    """Make a fusion by its name in MapConfig.fusion; `weights` is a file for `gnesf`, empty = the shipped one.

    Raises SettingError with the known names, or WeightsError; each in one line.
    """
    if name == "gnesf":
        return load_fusion(weights or resource_path(GNESF_MODEL))[0]
    if name not in HAND_MADE:
        raise SettingError(f"fusion '{name}' is unknown: choose one of {', '.join(FUSIONS)}")
    return HAND_MADE[name]()
