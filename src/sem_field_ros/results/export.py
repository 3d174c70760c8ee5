"""Labelled meshes and clouds for other programs: PLY (any point cloud or mesh tool) and GLB (web, Blender). Atomic."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros import __version__
from sem_field_ros.atomic import atomic_write
from sem_field_ros.geometry import ply
from sem_field_ros.geometry.axes import axis_vector
from sem_field_ros.geometry.glb import encode_glb
from sem_field_ros.labels import LabelSet
from sem_field_ros.surface import Surface

COLOR_BY = ("label", "rgb")


def write_ply(path: str | Path, surface: Surface, labels: LabelSet, color_by: str = "label") -> None:
    """Write a surface (give `surface.cloud()` for a cloud without triangles) as binary PLY in the map's frame, metres.

    Vertex properties: x y z nx ny nz (float), red green blue (uchar, by `color_by`), the other colours as
    camera_red ... or label_red ... (uchar), label (int, the class id, unlabelled 255; in sets with ids above 254,
    65535), confidence (float, 0 to 1). Comments in the header list the classes. Raises OutputError.
    """
    columns = {name: surface.vertices[:, i].astype(np.float32) for i, name in enumerate("xyz")}
    columns |= {f"n{name}": surface.normals[:, i].astype(np.float32) for i, name in enumerate("xyz")}
    for prefix, colors in _colors(surface, labels, color_by).items():
        columns |= {f"{prefix}{name}": colors[:, i] for i, name in enumerate(("red", "green", "blue"))}
    # int, not ushort: wide enough, and Open3D skips the other wide integer types
    columns["label"] = labels.to_id(surface.labels).astype(np.int32)
    columns["confidence"] = surface.confidence.astype(np.float32)
    comments = [f"sem_field_ros {__version__}", f"label_set {labels.name}"]
    comments += [f"class {c.id} {c.name}" for c in labels.classes]
    ply.write_ply(path, columns, surface.faces, [*comments, f"class {_unlabelled_id(labels)} unlabelled"])


def write_glb(
    path: str | Path, surface: Surface, labels: LabelSet, color_by: str = "label", up: np.ndarray | None = None
) -> None:
    """Write a surface as GLB: vertex colours by `color_by` (COLOR_0), the other colours (COLOR_1, also under the name
    _COLOR_CAMERA or _COLOR_LABEL), and the vertex attributes _LABEL (id) and _CONFIDENCE.

    up  unit vector [3] that is up in the map's frame; None = z. glTF's y axis is up: the scene's node carries the
        rotation and the vertices stay in the map's frame, so Blender and viewers show the map upright and report its
        coordinates.
    The scene's extras list the classes. Raises OutputError.
    """
    (_, colors), (prefix, others) = _colors(surface, labels, color_by).items()
    content = encode_glb(
        surface.vertices,
        colors,
        surface.faces,
        normals=_unit_normals(surface.normals),
        more_colors={prefix.rstrip("_"): others},
        attributes={"label": labels.to_id(surface.labels), "confidence": surface.confidence},
        up=axis_vector("z") if up is None else up,
        extras={
            "label_set": labels.name,
            "classes": [{"id": c.id, "name": c.name, "color": list(c.color)} for c in labels.classes],
            "unlabelled_id": _unlabelled_id(labels),
        },
    )
    with atomic_write(path) as file:
        file.write(content)


def _colors(surface: Surface, labels: LabelSet, color_by: str) -> dict[str, np.ndarray]:
    """Vertex colours [V, 3] uint8 by the prefix of their names: those by `color_by` without one, then the others."""
    if color_by not in COLOR_BY:
        raise ValueError(f"color_by must be one of {', '.join(COLOR_BY)}, got {color_by!r}")
    classes = labels.to_color(surface.labels)
    if color_by == "label":
        return {"": classes, "camera_": surface.colors}
    return {"": surface.colors, "label_": classes}


def _unlabelled_id(labels: LabelSet) -> int:
    return int(labels.to_id(np.array(-1)))


def _unit_normals(normals: np.ndarray) -> np.ndarray:
    """glTF requires unit normals; a vertex without one gets an upward normal."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 1e-6, normals / np.maximum(length, 1e-6), np.array([0, 0, 1], np.float32))
