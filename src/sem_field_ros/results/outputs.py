"""Result files of a mapping run, the same for the demo and `sem-field map`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sem_field_ros.geometry.viewpoints import estimate_up
from sem_field_ros.labels import LabelSet
from sem_field_ros.results.export import write_glb, write_ply
from sem_field_ros.results.preview import write_preview
from sem_field_ros.surface import Surface

CLOUD_NAME = "semantic_cloud.ply"
MESH_NAME = "mesh.ply"
GLB_NAME = "mesh.glb"
PREVIEW_NAME = "preview.png"
REPORT_NAME = "report.json"


def map_title(sequence: str, label_source: str) -> str:
    """The title of a map's picture: what was mapped, and where its labels come from."""
    name = f"Semantic map of {sequence}" if sequence else "Semantic map"
    return f"{name}, {label_source}" if label_source else name


def write_surface_files(
    directory: Path,
    surface: Surface,
    labels: LabelSet,
    *,
    T_world_cameras: Sequence[np.ndarray] | None = None,
    title: str = "Semantic map",
    glb: bool = False,
) -> None:
    """Write cloud, mesh and preview (and mesh.glb) of a surface into `directory`. Raises OutputError in one line."""
    write_ply(directory / CLOUD_NAME, surface.cloud(), labels)
    write_ply(directory / MESH_NAME, surface, labels)
    if glb:
        write_glb(directory / GLB_NAME, surface, labels, up=estimate_up(surface.normals, T_world_cameras))
    write_preview(directory / PREVIEW_NAME, surface, labels, T_world_cameras, title)
