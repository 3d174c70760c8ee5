"""Fields by the kind on their weights' card, or by name: makes a scene, a model or a configuration of weights.

A new field costs one line here: kind -> its module of a FieldModule's functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from sem_field_ros.errors import WeightsError, did_you_mean
from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.labels import LabelSet
from sem_field_ros.resources import resource_path
from sem_field_ros.weights import SUFFIX, WeightsCard, load_card, load_weights

if TYPE_CHECKING:
    from torch import Tensor

    from sem_field_ros.scene import FieldScene

FIELDS = {
    "gnesf_field": "sem_field_ros.fields.gnesf.scene_of_weights",
    "ibrnet_field": "sem_field_ros.fields.ibrnet.scene_of_weights",
    "gsnerf_field": "sem_field_ros.fields.gsnerf.scene_of_weights",
}
HAND_MADE = {  # fields without weights, by name
    "warp": "sem_field_ros.fields.warp.scene",
    "gsnerf": "sem_field_ros.fields.gsnerf.scene",
}


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


class FieldConfig(Protocol):
    """A configuration of a field; `kind` is a key of FIELDS."""

    kind: ClassVar[str]


class FieldModule(Protocol):
    """What the module of a kind has. Only the first is needed to use a field, the others to train one."""

    def open_field(self, path: str | Path, labels: LabelSet, options: SceneOptions) -> FieldScene:
        """An empty scene of the field in a weights file. Raises WeightsError in one line."""
        ...

    def make_model(self, config: Any) -> Any:
        """The network of a configuration, with random weights."""
        ...

    def config_from_dict(self, content: Mapping[str, Any]) -> Any:
        """The configuration on a card. Raises WeightsError in one line."""
        ...


def open_scene(weights: str | Path, labels: LabelSet, options: SceneOptions | None = None) -> FieldScene:
    """An empty scene of the field in a weights file; classes are those of `labels`.

    Raises WeightsError in one line: missing, damaged, no field, or bound to other classes.
    """
    return field_module(weights).open_field(weights, labels, options or SceneOptions())


def field_module(weights: str | Path) -> FieldModule:
    """The module of the field in a weights file. Raises WeightsError in one line."""
    kind = field_kind(load_card(weights))
    if kind not in FIELDS:
        raise WeightsError(f"{weights} holds a '{kind}', which is not a field; fields: {', '.join(FIELDS)}")
    return _module(kind)


def field_kind(card: WeightsCard) -> str:
    """The kind of a card. Version 0.1 wrote `gnesf_field` on image-based fields too."""
    return "ibrnet_field" if card.kind == "gnesf_field" and card.architecture.get("rays") else card.kind


def make_model(config: FieldConfig) -> Any:
    """The network of a configuration, with random weights."""
    return _module(config.kind).make_model(config)


def load_field_weights(path: str | Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors and configuration of a field, to train on. Raises WeightsError in one line."""
    module = field_module(path)
    state, card = load_weights(path, load_card(path).kind)
    return state, module.config_from_dict(card.architecture)


def _module(kind: str) -> FieldModule:
    return cast(FieldModule, import_module(FIELDS[kind]))
