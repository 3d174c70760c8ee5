"""Ray casts a part-labelled object on white: colour, depth and part per pixel, lit by a sky and a soft lamp.

Diffuse light does not depend on the viewer: it is baked once per object at the corners of small triangles (with the
shadows of both lights), so a view costs one ray per sample and noise is the same in all views.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import open3d as o3d

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_synth.objects.part_mesh import PartMesh
from sem_field_synth.objects.surfaces import reflectance

_EDGE = 0.035  # longest edge of the triangles light is baked on
_SKY_DIRECTIONS = 96
_LAMP_DIRECTIONS = 16
_LAMP_AXIS = np.array([-0.45, -0.55, 0.95])  # from the left in front and above, as seen from the front
_LAMP_SPREAD = 0.16
_LAMP_SHARE = 0.55  # of the light that falls on a surface which faces the lamp
_BOUNCED = 0.10  # ambient light
_OFFSET = 1e-3  # keeps a shadow ray from hitting where it starts
_GRAZING = 0.05
_LIFT = 1.15  # brightness of the whole picture


@dataclass(frozen=True)
class View:
    """color [h, w, 3] uint8 RGB on white, depth [h, w] float32 along z (0 = background), part ids [h, w] uint8."""

    color: np.ndarray
    depth: np.ndarray
    label: np.ndarray


class PartRenderer:
    """An object (normalised PartMesh) prepared for ray casting. Label sets must have a class `background`."""

    def __init__(self, mesh: PartMesh, labels: LabelSet) -> None:
        self.mesh = mesh.refined(_EDGE)
        self._background = labels.to_id(np.array(labels.index_of("background")))
        self._id_of_face = labels.to_id(self.mesh.part)
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        corners = self.mesh.corners.astype(np.float32)
        faces = np.arange(3 * len(corners), dtype=np.uint32).reshape(-1, 3)
        self._scene.add_triangles(_tensor(corners.reshape(-1, 3)), _tensor(faces))
        edges = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        flat = np.cross(*edges)
        self._flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        self._front = self._baked(1.0)
        self._back: np.ndarray | None = None  # only visible in sheets

    def view(self, camera: Intrinsics, T_world_camera: np.ndarray, supersampling: int = 2) -> View:
        """Ray cast into a camera; colour is averaged over `supersampling`^2 rays a pixel."""
        shape = (camera.height, camera.width)
        hit = self._cast(_camera_rays(camera, T_world_camera, 1))
        depth = np.where(hit.found, hit.distance, 0).astype(np.float32).reshape(shape)
        label = np.where(hit.found, self._id_of_face[hit.face], self._background).astype(np.uint8).reshape(shape)
        rays = _camera_rays(camera, T_world_camera, supersampling)
        image: np.ndarray = np.ones((len(rays), 3), np.float32)
        hit = self._cast(rays)
        at = np.flatnonzero(hit.found)
        if len(at):
            image[at] = self._shade(rays[at, 3:], hit.face[at], hit.uv[at])
        image = image.reshape(shape[0] * supersampling, shape[1] * supersampling, 3)
        image = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
        return View((image * 255 + 0.5).astype(np.uint8), depth, label)

    def _cast(self, rays: np.ndarray) -> _Hits:
        result = self._scene.cast_rays(_tensor(rays))
        distance = result["t_hit"].numpy()
        found = np.isfinite(distance)
        return _Hits(
            found, distance, np.where(found, result["primitive_ids"].numpy(), 0), result["primitive_uvs"].numpy()
        )

    def _shade(self, direction: np.ndarray, face: np.ndarray, uv: np.ndarray) -> np.ndarray:
        """sRGB colours [N, 3] 0..1 of hits on `face` [N] along `direction` [N, 3] (any length)."""
        weight = np.stack([1 - uv.sum(1), uv[:, 0], uv[:, 1]], -1).astype(np.float32)[:, :, None]
        direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        behind = (self._flat[face] * direction).sum(1) > 0
        light = (self._front[face] * weight[:, :, 0]).sum(1)
        if behind.any():
            if self._back is None:
                self._back = self._baked(-1.0)
            light = np.where(behind, (self._back[face] * weight[:, :, 0]).sum(1), light)
        normal = (self.mesh.normals[face] * weight).sum(1) * np.where(behind, -1, 1)[:, None]
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        at = (self.mesh.texture[face] * weight).sum(1)
        out = np.zeros((len(face), 3))
        number = self.mesh.surface[face]
        for i, surface in enumerate(self.mesh.surfaces):
            rows = np.flatnonzero(number == i)
            if len(rows) == 0:
                continue
            color = reflectance(surface, at[rows])
            lit = light[rows, None]
            glance = (normal[rows] * direction[rows]).sum(1, keepdims=True)
            mirrored = direction[rows] - 2 * glance * normal[rows]
            seen = _surroundings(mirrored, surface.shininess) * np.minimum(lit, 1.0)[:, 0]
            mirror = 0.85 if surface.metal else surface.shininess * (0.04 + 0.5 * (1 - np.abs(glance[:, 0])) ** 5)
            if surface.metal:
                out[rows] = color * ((1 - mirror) * lit + mirror * seen[:, None])
            else:
                out[rows] = color * lit + (mirror * seen)[:, None]
        return _encode(out * _LIFT)

    def _baked(self, side: float) -> np.ndarray:
        """Light that falls on every corner, [T, 3]: 1 is a surface in the open that faces the lamp."""
        normals = self.mesh.normals.reshape(-1, 3) * side
        points = self.mesh.corners.reshape(-1, 3)
        key = np.round(np.concatenate([points * 1e4, normals * 40], 1)).astype(np.int32)
        _, first, back = np.unique(key, axis=0, return_index=True, return_inverse=True)
        points, normals = points[first], normals[first].astype(np.float64)
        directions, radiance = _light_directions()
        cosine = normals @ directions.T
        which, toward = np.nonzero(cosine > _GRAZING)
        rays = np.concatenate([points[which] + _OFFSET * normals[which], directions[toward]], 1).astype(np.float32)
        free = ~self._scene.test_occlusions(_tensor(rays)).numpy()
        parts = cosine[which, toward] * radiance[toward] * free
        total = np.bincount(which, parts, len(points)) + _BOUNCED
        return total[back.reshape(-1)].reshape(-1, 3).astype(np.float32)


@dataclass(frozen=True)
class _Hits:
    found: np.ndarray
    distance: np.ndarray
    face: np.ndarray
    uv: np.ndarray


def _light_directions() -> tuple[np.ndarray, np.ndarray]:
    """Unit directions [D, 3] towards the light and their weights [D]: a bright sky, a white ground, one lamp."""
    sky = _spread(_SKY_DIRECTIONS)
    weight = 0.62 + 0.38 * sky[:, 2]
    weight *= (1 - _LAMP_SHARE) / (np.maximum(sky[:, 2], 0) * weight).sum()  # facing the sky in the open: 1 - share
    axis = _LAMP_AXIS / np.linalg.norm(_LAMP_AXIS)
    side = np.cross(axis, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    r = _LAMP_SPREAD * np.sqrt((np.arange(_LAMP_DIRECTIONS) + 0.5) / _LAMP_DIRECTIONS)
    a = np.arange(_LAMP_DIRECTIONS) * np.pi * (3 - np.sqrt(5))
    lamp = axis + r[:, None] * (np.cos(a)[:, None] * side + np.sin(a)[:, None] * np.cross(axis, side))
    lamp /= np.linalg.norm(lamp, axis=1, keepdims=True)
    return np.concatenate([sky, lamp]), np.concatenate([weight, np.full(len(lamp), _LAMP_SHARE / len(lamp))])


def _spread(count: int) -> np.ndarray:
    """Directions spread evenly over the sphere (Fibonacci lattice), [count, 3]."""
    z = 1 - (2 * np.arange(count) + 1) / count
    azimuth = np.arange(count) * np.pi * (3 - np.sqrt(5))
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z], -1)


def _surroundings(direction: np.ndarray, shininess: float) -> np.ndarray:
    """A mirror's reflection of a studio: bright above, a dark band at the horizon, the lamp; [N]."""
    up = direction[:, 2]
    blur = 0.08 + 0.5 * (1 - shininess)
    sky = 0.35 + 0.65 / (1 + np.exp(-np.clip((up - 0.1) / blur * 3, -30, 30)))
    ground = 0.35 / (1 + np.exp(np.clip((up + 0.35) / blur * 3, -30, 30)))
    axis = _LAMP_AXIS / np.linalg.norm(_LAMP_AXIS)
    lamp = 1.6 * np.exp((direction @ axis - 1) / (0.01 + 0.15 * blur))
    return sky + ground + lamp


def _encode(light: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB with a soft shoulder near white."""
    soft = np.where(light > 0.7, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3), light)
    return np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * np.maximum(soft, 1e-6) ** (1 / 2.4) - 0.055)


def _camera_rays(camera: Intrinsics, T_world_camera: np.ndarray, supersampling: int) -> np.ndarray:
    """Rays [N, 6] float32 (origin, direction with unit z in the camera), row by row."""
    fine = camera.scaled(camera.width * supersampling, camera.height * supersampling)
    u, v = np.meshgrid(np.arange(fine.width), np.arange(fine.height))
    direction = np.stack([(u - fine.cx) / fine.fx, (v - fine.cy) / fine.fy, np.ones(u.shape)], -1).reshape(-1, 3)
    direction = direction @ T_world_camera[:3, :3].T
    return np.concatenate([np.broadcast_to(T_world_camera[:3, 3], direction.shape), direction], 1).astype(np.float32)


def _tensor(array: np.ndarray) -> Any:
    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(array))
