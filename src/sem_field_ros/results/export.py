"""Labelled meshes and clouds for other programs: PLY (any point cloud or mesh tool) and GLB (web, Blender). Atomic."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros import __version__
from sem_field_ros.atomic import atomic_write
from sem_field_ros.geometry import ply
from sem_field_ros.geometry.glb import encode_glb
from sem_field_ros.labels import LabelSet
from sem_field_ros.surface import Surface

COLOR_BY = ("label", "rgb")


def write_ply(path: str | Path, surface: Surface, labels: LabelSet, color_by: str = "label") -> None:
    """Write a surface (give `surface.cloud()` for a cloud without triangles) as binary PLY in the map's frame, metres.

    Vertex properties: x y z nx ny nz (float), red green blue (uchar, by `color_by`), label (int, the class id,
    unlabelled 255; in sets with ids above 254, 65535), confidence (float, 0 to 1). Comments in the header list the
    classes. Raises OutputError.
    """
    colors = surface_colors(surface, labels, color_by)
    columns = {name: surface.vertices[:, i].astype(np.float32) for i, name in enumerate("xyz")}
    columns |= {f"n{name}": surface.normals[:, i].astype(np.float32) for i, name in enumerate("xyz")}
    columns |= {name: colors[:, i] for i, name in enumerate(("red", "green", "blue"))}
    # int, not ushort: wide enough, and Open3D skips the other wide integer types
    columns["label"] = labels.to_id(surface.labels).astype(np.int32)
    columns["confidence"] = surface.confidence.astype(np.float32)
    comments = [f"sem_field_ros {__version__}", f"label_set {labels.name}"]
    comments += [f"class {c.id} {c.name}" for c in labels.classes]
    ply.write_ply(path, columns, surface.faces, [*comments, f"class {_unlabelled_id(labels)} unlabelled"])


def write_glb(path: str | Path, surface: Surface, labels: LabelSet, color_by: str = "label") -> None:
    """Write a surface as GLB with vertex colours by `color_by` and the vertex attributes _LABEL (id) and _CONFIDENCE.

    glTF's y axis is up, the map's is z: the scene's node carries that rotation and the vertices stay in the map's
    frame, so Blender and viewers show it upright and give the map's coordinates back. The scene's extras list the
    classes. Raises OutputError.
    """
    content = encode_glb(
        surface.vertices,
        surface_colors(surface, labels, color_by),
        surface.faces,
        normals=_unit_normals(surface.normals),
        attributes={"label": labels.to_id(surface.labels), "confidence": surface.confidence},
        z_up=True,
        extras={
            "label_set": labels.name,
            "classes": [{"id": c.id, "name": c.name, "color": list(c.color)} for c in labels.classes],
            "unlabelled_id": _unlabelled_id(labels),
        },
    )
    with atomic_write(path) as file:
        file.write(content)


def surface_colors(surface: Surface, labels: LabelSet, color_by: str) -> np.ndarray:
    """Vertex colours [V, 3] uint8: of the classes (`label`) or as the camera saw them (`rgb`)."""
    if color_by not in COLOR_BY:
        raise ValueError(f"color_by must be one of {', '.join(COLOR_BY)}, got {color_by!r}")
    return labels.to_color(surface.labels) if color_by == "label" else surface.colors


def _unlabelled_id(labels: LabelSet) -> int:
    return int(labels.to_id(np.array(-1)))


def _unit_normals(normals: np.ndarray) -> np.ndarray:
    """glTF wants unit normals; a vertex without one points up."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 1e-6, normals / np.maximum(length, 1e-6), np.array([0, 0, 1], np.float32))
