"""Maps that are compared, each by a short text: FUSION[:CELL_M][+CONTEXT]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sem_field_ros.errors import SettingError
from sem_field_ros.mapping.config import MapConfig


def variant_of(config: MapConfig, text: str) -> MapConfig:
    """`config` with the fusion, the smoothing cell and the context of FUSION[:CELL_M][+CONTEXT].

    Raises SettingError in one line.
    """
    start, plus, context = text.partition("+")
    fusion, _, cell = start.partition(":")
    try:
        size = float(cell) if cell else config.smoothing_cell_m
    except ValueError as error:
        raise SettingError(f"{text}: '{cell}' must be a length in metres") from error
    return replace(config, fusion=fusion, smoothing_cell_m=size, context=context if plus else config.context)


def with_contexts(fusions: Sequence[str], contexts: Sequence[str]) -> list[str]:
    """Every fusion with every context; the fusions alone without contexts to compare."""
    return [f"{fusion}+{context}" for fusion in fusions for context in contexts] if contexts else list(fusions)
