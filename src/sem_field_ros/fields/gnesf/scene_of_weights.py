"""Opens the weights of a GNeSF as a scene. They fit every label set: views vote on their own classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.common.posed_images import PosedImageScene, SceneOptions, window_size
from sem_field_ros.fields.gnesf.config import KIND, Config, GnesfConfig, config_from_dict
from sem_field_ros.fields.gnesf.model import Gnesf
from sem_field_ros.labels import LabelSet, label_set_from_dict
from sem_field_ros.weights import WeightsCard, load_into, load_weights

__all__ = ["config_for", "config_from_dict", "make_model", "open_field", "scene_of"]


def open_field(path: str | Path, labels: LabelSet, options: SceneOptions) -> PosedImageScene:
    """A scene of the field that `sem-field train gnesf` made. Raises WeightsError in one line."""
    state, card = load_weights(path, KIND)
    model = Gnesf(config_for(config_from_dict(card.architecture), card, labels, path))
    load_into(model, state, str(path))
    return scene_of(model, card, labels, path, options)


def make_model(config: GnesfConfig) -> Gnesf:
    """The network of a configuration, with random weights."""
    return Gnesf(config)


def scene_of(
    model: Gnesf, card: WeightsCard, labels: LabelSet, path: str | Path, options: SceneOptions
) -> PosedImageScene:
    """A loaded model as a scene on the options' device."""
    views, width = window_size(card, path)
    model.eval().to(torch.device(options.device))
    return PosedImageScene(model, len(labels), options.views or views, width, options)


def config_for(config: Config, card: WeightsCard, labels: LabelSet, path: str | Path) -> Config:
    """The configuration with the classes of `labels`; only fields that predict classes directly have fixed classes."""
    if config.semantics != "direct":
        return dataclasses.replace(config, classes=len(labels))
    own = str((card.label_set or {}).get("name", "?"))
    if card.label_set is None or not label_set_from_dict(card.label_set).has_classes_of(labels):
        raise WeightsError(f"{path} predicts classes of {own} directly; the segmenter's are {labels.name}")
    return config
