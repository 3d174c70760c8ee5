"""The labelled ground-truth mesh of a synthetic room: the true surface, cut fine, where the camera saw it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.geometry.camera import project
from sem_field_ros.geometry.ply import write_ply
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_synth.rooms.room import SyntheticRoom

_MAX_EDGE_M = 0.2
_SEEN_WITHIN_M = 4.0  # like a scan, the mesh holds what a depth camera could measure


def labelled_mesh(room: SyntheticRoom) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vertices [V, 3] float32 world metres, faces [F, 3] and label ids [V] uint8 of what the frames see."""
    renderer = room.renderer
    triangles = renderer.vertices[renderer.faces].astype(np.float64)
    triangles, parent = split_long_edges(triangles, _MAX_EDGE_M)
    seen = _seen(room, triangles)
    triangles, parent = triangles[seen], parent[seen]
    label = room.labels.to_id(renderer.face_label[parent])
    key = np.concatenate([np.round(triangles.reshape(-1, 3) * 1e4), np.repeat(label, 3)[:, None]], axis=1)
    unique, corner = np.unique(key.astype(np.int64), axis=0, return_inverse=True)
    vertices = (unique[:, :3] / 1e4).astype(np.float32)
    return vertices, corner.reshape(-1, 3), unique[:, 3].astype(label.dtype)


def write_labelled_mesh(path: Path, room: SyntheticRoom) -> None:
    """Write `mesh_labels.ply`: x y z, red green blue of the label, label (id)."""
    vertices, faces, label = labelled_mesh(room)
    color = room.labels.to_color(room.labels.to_index(label))
    columns = {name: vertices[:, i] for i, name in enumerate("xyz")}
    columns |= {name: color[:, i] for i, name in enumerate(("red", "green", "blue"))}
    write_ply(path, columns | {"label": label}, faces)


def split_long_edges(triangles: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Halve triangles [F, 3, 3] at their longest edge until no edge is longer than `limit`; also each one's origin."""
    done, origin = [], []
    parent = np.arange(len(triangles))
    while len(triangles):
        length = np.linalg.norm(triangles - np.roll(triangles, -1, axis=1), axis=2)
        short = length.max(1) <= limit
        done.append(triangles[short])
        origin.append(parent[short])
        triangles, parent, length = triangles[~short], parent[~short], length[~short]
        order = (length.argmax(1)[:, None] + np.arange(3)) % 3
        a, b, c = np.moveaxis(np.take_along_axis(triangles, order[:, :, None], axis=1), 1, 0)  # a-b is the longest
        middle = (a + b) / 2
        triangles = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
        parent = np.concatenate([parent, parent])
    return np.concatenate(done), np.concatenate(origin)


def _seen(room: SyntheticRoom, triangles: np.ndarray) -> np.ndarray:
    """Which triangles have a centre that some frame sees within reach and from the front, [F] bool."""
    center = triangles.mean(1)
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    seen = np.zeros(len(center), bool)
    for i in range(len(room)):
        T = room.pose(i)
        pixel, z = project(transform_points(inverse(T), center), room.camera)
        inside = (pixel > -0.5).all(1) & (pixel[:, 0] < room.camera.width - 0.5) & (z > 0.1) & (z < _SEEN_WITHIN_M)
        inside &= pixel[:, 1] < room.camera.height - 0.5
        to_eye = T[:3, 3] - center
        candidate = np.flatnonzero(inside & ~seen & ((to_eye * normal).sum(1) > 0))
        seen[candidate] = ~room.renderer.blocked(center[candidate] + 0.005 * to_eye[candidate], to_eye[candidate], 0.99)
    return seen
