"""PSB meshes as part-labelled meshes: turned upright to face -y, in one plain colour (the files have none)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from sem_field_ros.datasets.psb import LabelledMesh, read_psb
from sem_field_ros.errors import DataError
from sem_field_ros.labels import LabelSet
from sem_field_synth.objects.part_mesh import PartMesh, along_grain, corner_normals
from sem_field_synth.objects.surfaces import paint

HEIGHT_M = {"chair": 0.9, "table": 0.74}  # the files have no unit


def psb_mesh(folder: str | Path, name: str, labels: LabelSet) -> PartMesh:
    """A shape of the benchmark, scaled to a typical height (HEIGHT_M). Raises DataError in one line."""
    shape = read_psb(folder, name)
    if shape.category not in HEIGHT_M:
        raise DataError(f"{folder}: shape {name} is neither a chair nor a table (labels/meta.json)")
    vertices = facing_front(shape)
    vertices = (vertices - vertices.min(0)) * HEIGHT_M[shape.category] / np.ptp(vertices[:, 2])
    number = np.array([labels.index_of(part) if part in labels.names else -1 for part in shape.parts], np.int16)
    corners = vertices[shape.faces]
    count = len(corners)
    rng = np.random.default_rng(int(hashlib.sha1(name.encode()).hexdigest()[:8], 16))
    return PartMesh(
        corners,
        corner_normals(vertices, shape.faces),
        along_grain(corners),
        np.append(number, np.int16(-1))[shape.labels],
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        (paint(rng),),
    )


def facing_front(shape: LabelledMesh) -> np.ndarray:
    """Vertices [V, 3], z up: a chair's back lies towards +y of its seat, a table's longest side along x."""
    vertices = shape.upright()
    middle = vertices[shape.faces].mean(1)
    back = shape.labels == (shape.parts.index("back") if "back" in shape.parts else -2)
    if shape.category == "chair" and back.any():
        towards = (middle[back].mean(0) - middle[shape.labels == shape.parts.index("seat")].mean(0))[:2]
    else:
        spread = np.linalg.eigh(np.cov(vertices[:, :2].T))[1]
        towards = spread[:, 0]  # the narrowest direction becomes y
    a = np.pi / 2 - np.arctan2(towards[1], towards[0])
    R = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return vertices @ R.T
