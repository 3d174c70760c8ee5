"""The labelled ground-truth mesh of a home scene: the surface that the camera saw, thinned to a centimetre."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.geometry.camera import project
from sem_field_ros.geometry.ply import write_ply
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.labels import load_label_set
from sem_field_synth.rendering.ground_truth import TruthCaster
from sem_field_synth.rendering.scene_mesh import SceneMesh
from sem_field_synth.rooms.mesh import split_long_edges
from sem_field_synth.scene import HomeScene

_MAX_EDGE_M = 0.2
_CELL_M = 0.01  # vertices of one class closer than about this become one
_SEEN_WITHIN_M = 4.0  # like a scan, the mesh holds what a depth camera could measure


def home_mesh(scene: HomeScene, mesh: SceneMesh, caster: TruthCaster) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices [V, 3] float32 world metres, faces [F, 3], class index of label set nyu40 [V] int16 of what is seen."""
    triangles, parent = split_long_edges(mesh.corners, _MAX_EDGE_M)
    seen = _seen(scene, caster, triangles)
    return _thin(triangles[seen], mesh.nyu40[parent[seen]])


def write_home_mesh(path: Path, scene: HomeScene, mesh: SceneMesh, caster: TruthCaster) -> None:
    """Write x y z, red green blue of the label, `label` (ScanNet-20 id) and `label_nyu40` (id)."""
    nyu40, scannet20 = load_label_set("nyu40"), load_label_set("scannet20")
    vertices, faces, label = home_mesh(scene, mesh, caster)
    twenty = np.append(nyu40.regroup(scannet20), -1)[label]
    color = scannet20.to_color(twenty)
    columns = {name: vertices[:, i] for i, name in enumerate("xyz")}
    columns |= {name: color[:, i] for i, name in enumerate(("red", "green", "blue"))}
    write_ply(path, columns | {"label": scannet20.to_id(twenty), "label_nyu40": nyu40.to_id(label)}, faces)


def _seen(scene: HomeScene, caster: TruthCaster, triangles: np.ndarray) -> np.ndarray:
    """Which triangles [F, 3, 3] have a centre that some frame sees within reach, from either side, [F] bool."""
    center = triangles.mean(axis=1)
    seen = np.zeros(len(center), bool)
    camera = scene.camera
    for T in scene.T_world_camera:
        rest = np.flatnonzero(~seen)
        pixel, z = project(transform_points(inverse(T), center[rest]), camera)
        inside = (pixel > -0.5).all(1) & (pixel[:, 0] < camera.width - 0.5) & (pixel[:, 1] < camera.height - 0.5)
        candidate = rest[inside & (z > 0.1) & (z < _SEEN_WITHIN_M)]
        to_eye = T[:3, 3] - center[candidate]
        start = center[candidate] + 0.005 * to_eye / np.linalg.norm(to_eye, axis=1, keepdims=True)
        seen[candidate] = ~caster.blocked(start, to_eye, 0.99)
    return seen


def _thin(triangles: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the corners of one class that share a cell into their mean; collapsed triangles are removed."""
    corners = triangles.reshape(-1, 3)
    key = np.concatenate([np.floor(corners / _CELL_M), np.repeat(label, 3)[:, None]], axis=1).astype(np.int64)
    unique, index, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    index = index.reshape(-1)
    vertices = np.stack([np.bincount(index, corners[:, i], len(unique)) for i in range(3)], axis=1) / count[:, None]
    faces = index.reshape(-1, 3)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    faces = faces[np.sort(first)]
    used, faces = np.unique(faces, return_inverse=True)
    return vertices[used].astype(np.float32), faces.reshape(-1, 3), unique[used, 3].astype(np.int16)
