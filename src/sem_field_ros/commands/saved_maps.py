"""Saved maps as commands take them: DIR/NAME, or the path of the manifest that a shell completes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sem_field_ros.mapping.semantic_map import SemanticMap


def map_name(path: Path) -> str:
    """The name of a saved map."""
    from sem_field_ros.mapping.files.map_folder import MANIFEST_SUFFIX

    return path.name.removesuffix(MANIFEST_SUFFIX)


def open_saved_map(path: Path) -> SemanticMap:
    """Load a saved map onto the CPU, wherever it was made. Raises MapFileError in one line."""
    from sem_field_ros.mapping.files.map_file import load_map  # light: a wrong path is told before torch is imported

    state = load_map(path.parent, map_name(path))

    from sem_field_ros.mapping.files.map_state import read_header
    from sem_field_ros.mapping.semantic_map import SemanticMap

    return SemanticMap.from_state(state, replace(read_header(state.header).config, device="cpu"))
