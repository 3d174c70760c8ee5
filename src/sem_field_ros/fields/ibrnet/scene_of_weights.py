"""Opens the weights of an image-based field as a scene."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.fields.common.posed_images import PosedImageScene, SceneOptions
from sem_field_ros.fields.gnesf.scene_of_weights import config_for, scene_of
from sem_field_ros.fields.ibrnet.config import IbrnetConfig, config_from_dict
from sem_field_ros.fields.ibrnet.model import IbrnetField
from sem_field_ros.labels import LabelSet
from sem_field_ros.weights import load_card, load_into, load_weights

__all__ = ["config_from_dict", "make_model", "open_field"]


def open_field(path: str | Path, labels: LabelSet, options: SceneOptions) -> PosedImageScene:
    """A scene of the field that `sem-field train gnesf --image-based` made. Raises WeightsError in one line."""
    state, card = load_weights(path, load_card(path).kind)
    model = IbrnetField(config_for(config_from_dict(card.architecture), card, labels, path))
    load_into(model, state, str(path))
    return scene_of(model, card, labels, path, options)


def make_model(config: IbrnetConfig) -> IbrnetField:
    """The network of a configuration, with random weights."""
    return IbrnetField(config)
