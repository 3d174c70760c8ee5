"""The context network as a map uses it: loaded once, bound to the map's label set."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from sem_field_ros.context.network import ContextNet, RoomSurface, config_from_dict, corrected
from sem_field_ros.context.registry import AUTO, CONTEXTS, NONE, ROOMS_MODEL
from sem_field_ros.errors import LabelSetError, SettingError, WeightsError, did_you_mean
from sem_field_ros.labels import LabelSet, label_set_from_dict
from sem_field_ros.resources import resource_path
from sem_field_ros.weights import WeightsCard, load_model

KIND = "context"
_log = logging.getLogger(__name__)


class RoomContext:
    """Corrects the class probabilities of a map's surface. `order` [C]: the map's class for each of the network's."""

    def __init__(self, net: ContextNet, order: Tensor, strength: float = 1.0) -> None:
        self.net, self.strength = net.eval(), strength
        self._order, self._back = order, order.argsort()

    @property
    def reach_m(self) -> float:
        """How far a point can change another's correction along each axis of the upright frame."""
        return self.net.config.reach_m

    @torch.inference_mode()
    def correct(self, surface: RoomSurface) -> Tensor:
        """Corrected class probabilities [N, C] of a surface, in the map's order of classes."""
        device = surface.fused.device
        if device != self.net.last.weight.device:
            self.net.to(device)
        order, back = self._order.to(device), self._back.to(device)
        own = RoomSurface(
            surface.position,
            surface.normal,
            surface.fused[:, order],
            surface.support,
            surface.voxel_m,
            surface.floor_known,
        )
        return corrected(own.fused, self.strength * self.net(own))[:, back]


def make_context(name: str, labels: LabelSet, weights: str = "", strength: float = 1.0) -> RoomContext | None:
    """The context that MapConfig.context names, None without one; `weights` is a file, empty = the shipped ones.

    AUTO with other classes than those of the weights gives None and a line in the log. Raises SettingError for an
    unknown name, WeightsError if the weights cannot be used; each in one line.
    """
    if name not in CONTEXTS:
        hint = did_you_mean(name, CONTEXTS)
        raise SettingError(f"context '{name}' is unknown: choose one of {', '.join(CONTEXTS)}{hint}")
    if name == NONE:
        return None
    path = Path(weights or resource_path(ROOMS_MODEL))
    net, card = _loaded(path)
    try:
        own = label_set_from_dict(card.label_set or {})
        advised = float(card.output.get("strength", 1.0))
    except (KeyError, TypeError, ValueError, LabelSetError) as error:
        raise WeightsError(f"{path}: its card is incomplete ({error!r})") from error
    if sorted(own.names) == sorted(labels.names):
        return RoomContext(net, torch.tensor([labels.names.index(n) for n in own.names]), strength * advised)
    if name == AUTO:
        _log.info("no context: its weights are for the classes of %s, the map has those of %s", own.name, labels.name)
        return None
    raise WeightsError(
        f"context '{name}': {path} is for the classes of {own.name}, the map has those of {labels.name}: "
        "choose other context_weights, or context: none"
    )


@lru_cache(maxsize=2)
def _loaded(path: Path) -> tuple[ContextNet, WeightsCard]:
    """Shared by all maps of the process: submaps begin while the robot drives."""
    return load_model(path, KIND, lambda architecture: ContextNet(config_from_dict(architecture)))
