"""Opens the weights of a GSNeRF as a scene. With the segmenter's labels they fit every label set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.common.posed_images import SceneOptions, window_size
from sem_field_ros.fields.gsnerf.config import KIND, GsnerfConfig, config_from_dict
from sem_field_ros.fields.gsnerf.model import Gsnerf
from sem_field_ros.fields.gsnerf.scene import GsnerfScene
from sem_field_ros.labels import LabelSet, label_set_from_dict
from sem_field_ros.weights import WeightsCard, load_card, load_into, load_weights

__all__ = ["config_from_dict", "make_model", "open_field"]


def open_field(path: str | Path, labels: LabelSet, options: SceneOptions) -> GsnerfScene:
    """A scene of the field that `sem-field train gsnerf` made. Raises WeightsError in one line."""
    state, card = load_weights(path, KIND)
    config = _config_for(config_from_dict(card.architecture), card, labels, path)
    if options.samples:
        config = dataclasses.replace(config, samples=options.samples)
    model = Gsnerf(config)
    load_into(model, state, str(path))
    views, width = window_size(load_card(path), path)
    model.eval().to(torch.device(options.device))
    return GsnerfScene(model, len(labels), options.views or views, width, options)


def make_model(config: GsnerfConfig) -> Gsnerf:
    """The network of a configuration, with random weights."""
    return Gsnerf(config)


def _config_for(config: GsnerfConfig, card: WeightsCard, labels: LabelSet, path: str | Path) -> GsnerfConfig:
    """The configuration with the classes of `labels`; those of the semantic decoder are fixed."""
    if config.semantics == "segmenter":
        return dataclasses.replace(config, classes=len(labels))
    own = str((card.label_set or {}).get("name", "?"))
    if card.label_set is None or not label_set_from_dict(card.label_set).has_classes_of(labels):
        raise WeightsError(f"{path} decodes classes of {own}; the segmenter's are {labels.name}")
    return config
