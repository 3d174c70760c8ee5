"""Fields by the kind on their weights' card, or by name: makes a scene, a model or a configuration of weights.

A new field costs one line here: kind -> module with `open_field(path, labels, options) -> scene.FieldScene`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.errors import WeightsError, did_you_mean
from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.labels import LabelSet
from sem_field_ros.resources import resource_path
from sem_field_ros.weights import SUFFIX, WeightsCard, load_card, load_weights

if TYPE_CHECKING:
    from torch import Tensor

    from sem_field_ros.fields.gnesf.config import GnesfConfig
    from sem_field_ros.fields.gnesf.model import Gnesf
    from sem_field_ros.scene import FieldScene

FIELDS = {
    "gnesf_field": "sem_field_ros.fields.gnesf.scene_of_weights",
    "ibrnet_field": "sem_field_ros.fields.ibrnet.scene_of_weights",
}
HAND_MADE = {"warp": "sem_field_ros.fields.warp.scene"}  # fields without weights, by name


def open_named(name: str, labels: LabelSet, options: SceneOptions | None = None) -> FieldScene:
    """As open_scene, for a name in HAND_MADE, a shipped model (`gnesf_view_homes`) or a path of weights.

    Raises SemFieldError in one line.
    """
    if name in HAND_MADE:
        scene: FieldScene = import_module(HAND_MADE[name]).open_field(name, labels, options or SceneOptions())
        return scene
    is_path = name.endswith(SUFFIX) or Path(name).name != name
    return open_scene(name if is_path else _shipped(name), labels, options)


def _shipped(name: str) -> Path:
    shipped = sorted(p.name for p in resource_path("models").iterdir() if (p / f"{p.name}.json").is_file())
    fields = [n for n in shipped if field_kind(load_card(_weights_of(n))) in FIELDS]
    if name not in fields:
        known = [*HAND_MADE, *fields]
        raise WeightsError(
            f"field '{name}' is unknown: choose {', '.join(known)} or PATH{SUFFIX}{did_you_mean(name, known)}"
        )
    return _weights_of(name)


def _weights_of(name: str) -> Path:
    return resource_path(f"models/{name}") / f"{name}{SUFFIX}"


def open_scene(weights: str | Path, labels: LabelSet, options: SceneOptions | None = None) -> FieldScene:
    """An empty scene of the field in a weights file; classes are those of `labels`.

    Raises WeightsError in one line: missing, damaged, no field, or bound to other classes.
    """
    kind = field_kind(load_card(weights))
    if kind not in FIELDS:
        raise WeightsError(f"{weights} holds a '{kind}', which is not a field; fields: {', '.join(FIELDS)}")
    scene: FieldScene = import_module(FIELDS[kind]).open_field(weights, labels, options or SceneOptions())
    return scene


def field_kind(card: WeightsCard) -> str:
    """The kind of a card. Version 0.1 wrote `gnesf_field` on image-based fields too."""
    return "ibrnet_field" if card.kind == "gnesf_field" and card.architecture.get("rays") else card.kind


def make_model(config: GnesfConfig) -> Gnesf:
    """The network of a configuration, with random weights: a GNeSF or an image-based field."""
    from sem_field_ros.fields.gnesf.model import Gnesf
    from sem_field_ros.fields.ibrnet.config import IbrnetConfig
    from sem_field_ros.fields.ibrnet.model import IbrnetField

    return IbrnetField(config) if isinstance(config, IbrnetConfig) else Gnesf(config)


def load_field_weights(path: str | Path) -> tuple[dict[str, Tensor], GnesfConfig]:
    """Tensors and configuration of a GNeSF or image-based field, to train on. Raises WeightsError in one line."""
    from sem_field_ros.fields.gnesf import config as gnesf
    from sem_field_ros.fields.ibrnet import config as ibrnet

    card = load_card(path)
    kind = field_kind(card)
    if kind not in FIELDS:
        raise WeightsError(f"{path} holds a '{kind}', which is not a field; fields: {', '.join(FIELDS)}")
    state, card = load_weights(path, card.kind)
    read = ibrnet.config_from_dict if kind == "ibrnet_field" else gnesf.config_from_dict
    return state, read(card.architecture)
