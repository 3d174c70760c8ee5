"""The ground-truth surface beside a sequence: its labelled vertices, and the part of it that the cameras saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_ros.frame import SequenceReader
from sem_field_ros.geometry.camera import Intrinsics, project
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.geometry.raycast import MeshRaycaster

MESH_NAME = "mesh_labels.ply"  # ground truth beside a sequence
_NEAR_M = 0.05
_TOLERANCE_M = 0.01  # a point this far behind the surface still counts as seen, because meshes are not exact


@dataclass(frozen=True)
class TrueMesh:
    """Vertices [V, 3] float64 world metres, faces [F, 3] (none: a labelled cloud), label ids [V] of the data's set."""

    vertices: np.ndarray
    faces: np.ndarray
    label_ids: np.ndarray

    @classmethod
    def read(cls, path: Path) -> TrueMesh:
        """Read a PLY file with the vertex property `label`. Raises DataError."""
        columns, faces = read_ply(path)
        if "label" not in columns:
            raise DataError(f"{path} has no vertex property 'label': it is not a labelled mesh")
        vertices = np.stack([columns[axis] for axis in "xyz"], axis=1).astype(np.float64)
        return cls(vertices, faces, columns["label"])


def find_true_mesh(sequence: SequenceReader) -> TrueMesh | None:
    """The labelled mesh of a sequence: `mesh_path`, else the reader's mesh, else mesh_labels.ply in its folder."""
    read = getattr(sequence, "read_mesh", None)
    if read is not None and getattr(sequence, "mesh_path", None) is None:
        arrays = read()
        if arrays is not None:
            vertices, faces, label_ids = arrays
            return TrueMesh(np.asarray(vertices, np.float64), faces, label_ids)
    path = getattr(sequence, "mesh_path", None) or Path(getattr(sequence, "path", "")) / MESH_NAME
    return TrueMesh.read(Path(path)) if Path(path).is_file() else None


class SeenPoints:
    """The `points` [N, 3] on a mesh that some camera saw: inside its image, within reach, and not hidden by the mesh.

    seen  [N] bool, updated by `observe`
    """

    def __init__(self, points: np.ndarray, mesh: MeshRaycaster, reach_m: float = np.inf) -> None:
        self._points, self._mesh, self._reach_m = points, mesh, reach_m
        self.seen = np.zeros(len(points), bool)

    def observe(self, camera: Intrinsics, T_world_camera: np.ndarray) -> None:
        """Add what one camera sees. `reach_m` is along the optical axis, like depth."""
        pixel, z = project(transform_points(inverse(T_world_camera), self._points), camera)
        inside = (z > _NEAR_M) & (z <= self._reach_m) & (pixel > -0.5).all(axis=1)
        inside &= (pixel[:, 0] < camera.width - 0.5) & (pixel[:, 1] < camera.height - 0.5)
        candidate = np.flatnonzero(inside & ~self.seen)
        self.seen[candidate] = self._mesh.sees(T_world_camera[:3, 3], self._points[candidate], _TOLERANCE_M)
