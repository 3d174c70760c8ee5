"""A perfect sensor's view of a home scene: depth, instances and classes per pixel, exact to the triangle.

Glass is solid here, as in hand-labelled scans: a window pane has depth and is `window`. Holes that a texture's
alpha channel cuts (leaves, lace) are holes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import open3d as o3d

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_synth.rendering.scene_mesh import SceneMesh

_MAX_LAYERS = 12  # of cut-out leaves behind each other
_STEP_M = 1e-4  # past a hole's surface


@dataclass(frozen=True)
class Truth:
    """depth [h, w] float32 metres along z, 0 = nothing; triangle [h, w] int32, -1 = nothing; uv [h, w, 2] float32;
    instance [h, w] uint16, 0 = nothing; nyu40 and scannet20 [h, w] class indices of those sets, -1 = unlabelled."""

    depth: np.ndarray
    triangle: np.ndarray
    uv: np.ndarray
    instance: np.ndarray
    nyu40: np.ndarray
    scannet20: np.ndarray


class TruthCaster:
    """A scene prepared once for many views."""

    def __init__(self, mesh: SceneMesh) -> None:
        self._mesh = mesh
        self._scene = o3d.t.geometry.RaycastingScene()
        corners = np.ascontiguousarray(mesh.corners.reshape(-1, 3), dtype=np.float32)
        self._scene.add_triangles(_tensor(corners), _tensor(np.arange(len(corners), dtype=np.uint32).reshape(-1, 3)))
        self._cutouts = {i: alpha for i, f in enumerate(mesh.finishes) if (alpha := cutout_mask(f.texture)) is not None}
        self._to_scannet = load_label_set("nyu40").regroup(load_label_set("scannet20"))

    def cast(self, camera: Intrinsics, T_world_camera: np.ndarray) -> Truth:
        """Ray cast the scene into a camera."""
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        local = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
        # not normalised: the distance to the hit is then the depth along z
        direction = (local @ T_world_camera[:3, :3].T).reshape(-1, 3)
        depth, triangle, uv = self.cast_rays(np.broadcast_to(T_world_camera[:3, 3], direction.shape), direction)
        shape = (camera.height, camera.width)
        hit = triangle >= 0
        nyu40 = np.where(hit, self._mesh.nyu40[triangle], -1)
        scannet20 = np.where(nyu40 >= 0, self._to_scannet[nyu40], -1)
        instance = np.where(hit, self._mesh.instance[triangle], 0).astype(np.uint16)
        return Truth(
            depth.reshape(shape), triangle.reshape(shape), uv.reshape(*shape, 2), instance.reshape(shape),
            nyu40.reshape(shape).astype(np.int16), scannet20.reshape(shape).astype(np.int16),
        )  # fmt: skip

    def cast_rays(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rays [N, 3] -> (distance [N] float32 in lengths of the direction, triangle [N] int32, texture uv [N, 2])."""
        count = len(origin)
        distance, triangle = np.zeros(count, np.float32), np.full(count, -1, np.int32)
        uv = np.zeros((count, 2), np.float32)
        start = np.zeros(count)
        open_rays = np.arange(count)
        for _ in range(_MAX_LAYERS):
            rays = np.concatenate([origin[open_rays] + start[open_rays, None] * direction[open_rays],
                                   direction[open_rays]], axis=1)  # fmt: skip
            hits = self._scene.cast_rays(_tensor(rays.astype(np.float32)))
            t = hits["t_hit"].numpy()
            seen = np.isfinite(t)
            open_rays, t = open_rays[seen], t[seen]
            found = hits["primitive_ids"].numpy()[seen].astype(np.int64)
            place = self._texture_place(found, hits["primitive_uvs"].numpy()[seen])
            distance[open_rays], triangle[open_rays], uv[open_rays] = start[open_rays] + t, found, place
            hole = self._is_hole(found, place)
            open_rays = open_rays[hole]
            triangle[open_rays] = -1
            start[open_rays] = distance[open_rays] + _STEP_M
            if not len(open_rays):
                break
        distance[triangle < 0] = 0
        return distance, triangle, uv

    def blocked(self, origin: np.ndarray, direction: np.ndarray, length: float = 1.0) -> np.ndarray:
        """Whether anything lies on each segment from origin [N, 3] to origin + length * direction, [N] bool."""
        rays = np.concatenate([origin, direction], axis=1).astype(np.float32)
        return self._scene.test_occlusions(_tensor(rays), tnear=0.0, tfar=length).numpy()

    def _texture_place(self, triangle: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
        weights = np.stack([1 - barycentric.sum(-1), barycentric[:, 0], barycentric[:, 1]], axis=-1)
        return np.einsum("nc,nck->nk", weights, self._mesh.uv[triangle])

    def _is_hole(self, triangle: np.ndarray, uv: np.ndarray) -> np.ndarray:
        finish = self._mesh.finish[triangle]
        hole = np.zeros(len(triangle), bool)
        for number, mask in self._cutouts.items():
            at = np.flatnonzero(finish == number)
            if len(at):
                rows, columns = texel(uv[at], mask.shape)
                hole[at] = mask[rows, columns]
        return hole


def texel(uv: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the texel at texture places [N, 2]; textures repeat, v points upwards."""
    columns = np.floor(np.mod(uv[:, 0], 1.0) * shape[1]).astype(int).clip(0, shape[1] - 1)
    rows = np.floor(np.mod(1.0 - uv[:, 1], 1.0) * shape[0]).astype(int).clip(0, shape[0] - 1)
    return rows, columns


def cutout_mask(texture: Any) -> np.ndarray | None:
    """Where a texture's alpha channel cuts a hole, [h, w] bool; None where it cuts nothing."""
    if texture is None or texture.suffix.lower() != ".png":
        return None
    image = cv2.imread(str(texture), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        return None
    mask = image[..., 3] < 128
    return mask if mask.any() else None


def _tensor(array: np.ndarray) -> Any:
    return o3d.core.Tensor(np.ascontiguousarray(array))  # type: ignore[call-overload]
