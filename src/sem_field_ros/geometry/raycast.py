"""Ray casting of a triangle mesh from a camera (Open3D's RaycastingScene), exact to the triangle."""

from __future__ import annotations

from typing import Any

import numpy as np
import open3d as o3d

from sem_field_ros.geometry.camera import Intrinsics


class MeshRaycaster:
    """A mesh prepared once for many views: vertices [V, 3] metres, faces [F, 3]."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self._faces = faces
        self._scene = o3d.t.geometry.RaycastingScene()
        if len(faces):
            self._scene.add_triangles(
                _tensor(np.ascontiguousarray(vertices, dtype=np.float32)),
                _tensor(np.ascontiguousarray(faces, dtype=np.uint32)),
            )

    def cast(self, camera: Intrinsics, T_world_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (depth [h, w] float32 metres along z, 0 = nothing hit; nearest vertex [h, w] int64, -1 = nothing)."""
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        local = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
        direction = local @ T_world_camera[:3, :3].T  # not normalised: the hit distance is then the depth along z
        origin = np.broadcast_to(T_world_camera[:3, 3], direction.shape)
        if len(self._faces) == 0:
            return np.zeros(u.shape, np.float32), np.full(u.shape, -1, np.int64)
        hits = self._scene.cast_rays(_tensor(np.concatenate([origin, direction], -1).astype(np.float32)))
        depth = hits["t_hit"].numpy()
        hit = np.isfinite(depth)
        triangle = np.where(hit, hits["primitive_ids"].numpy().astype(np.int64), 0)
        uv = hits["primitive_uvs"].numpy()
        weights = np.stack([1 - uv.sum(-1), uv[..., 0], uv[..., 1]], axis=-1)
        vertex = np.take_along_axis(self._faces[triangle], weights.argmax(-1)[..., None], axis=-1)[..., 0]
        return np.where(hit, depth, 0).astype(np.float32), np.where(hit, vertex, -1).astype(np.int64)

    def sees(self, eye: np.ndarray, points: np.ndarray, tolerance_m: float) -> np.ndarray:
        """Whether each point [N, 3] is visible from `eye` [3]: no mesh before it but within `tolerance_m` of it."""
        ray = points - eye
        distance = np.linalg.norm(ray, axis=1)
        if len(self._faces) == 0 or len(points) == 0:
            return np.ones(len(points), bool)
        rays = np.concatenate([np.broadcast_to(eye, ray.shape), ray], axis=1).astype(np.float32)
        hit = self._scene.cast_rays(_tensor(rays))["t_hit"].numpy()  # 1 at the point itself
        return hit * distance >= distance - tolerance_m

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distance from points [N, 3] to the nearest triangle, [N] float32 metres; infinite without triangles."""
        if len(self._faces) == 0:
            return np.full(len(points), np.inf, np.float32)
        query = _tensor(np.ascontiguousarray(points, dtype=np.float32))
        return np.asarray(self._scene.compute_distance(query).numpy())


def _tensor(array: np.ndarray) -> Any:
    return o3d.core.Tensor(array)  # type: ignore[call-overload]
