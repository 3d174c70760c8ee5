"""The networks that a segmenter's weights file may hold, told apart by its card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from sem_field_ros.errors import WeightsError
from sem_field_ros.segmentation import deeplab, mosaic, network, rooms
from sem_field_ros.weights import WeightsCard, load_model

Network: TypeAlias = network.SegmenterNet | mosaic.MosaicNet | deeplab.DeepLabNet | rooms.RoomsNet


def build_network(architecture: Mapping[str, Any]) -> Network:
    """The network that a card's `architecture` describes, untrained. Raises WeightsError in one line."""
    name = architecture.get("network", network.NETWORK)  # the first cards do not name it
    if name == network.NETWORK:
        return network.SegmenterNet(network.config_from_dict(architecture))
    if name == mosaic.NETWORK:
        return mosaic.MosaicNet(mosaic.config_from_dict(architecture))
    if name == deeplab.NETWORK:
        return deeplab.DeepLabNet(deeplab.config_from_dict(architecture))
    if name == rooms.NETWORK:
        return rooms.RoomsNet(rooms.config_from_dict(architecture))
    known = ", ".join((network.NETWORK, mosaic.NETWORK, deeplab.NETWORK, rooms.NETWORK))
    raise WeightsError(f"network '{name}' is unknown; this version has {known}: update the package")


def load_segmenter(path: str | Path) -> tuple[Network, WeightsCard]:
    """The network of a weights file, in eval mode on the CPU. Raises WeightsError in one line."""
    return load_model(path, network.KIND, build_network)
