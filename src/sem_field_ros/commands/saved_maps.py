"""Saved maps as commands take them: DIR/NAME, or the path of the manifest that a shell completes to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sem_field_ros.mapping.files.map_file import MapState
    from sem_field_ros.mapping.submaps import Submaps


def map_name(path: Path) -> str:
    """The name of a saved map."""
    from sem_field_ros.mapping.files.map_folder import MANIFEST_SUFFIX

    return path.name.removesuffix(MANIFEST_SUFFIX)


def open_saved_map(path: Path) -> Submaps:
    """Load a saved map, with its earlier submaps, onto the CPU. Raises MapFileError in one line."""
    return map_of(load_saved_state(path))


def load_saved_state(path: Path) -> MapState:
    """The arrays and header of a saved map. Raises MapFileError in one line."""
    from sem_field_ros.mapping.files.map_file import load_map  # light: a wrong path is told before torch is imported

    return load_map(path.parent, map_name(path))


def map_of(state: MapState) -> Submaps:
    """The map of a state on the CPU, with its earlier submaps. Raises MapFileError in one line."""
    from sem_field_ros.mapping.submaps import Submaps

    return Submaps.of(state, "cpu")
