"""Ray casts the synthetic room: depth, labels and instances per pixel, and a lambert-lit colour image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import open3d as o3d

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import UNLABELLED_INDEX, LabelSet
from sem_field_synth.rooms.layout import AreaLight, Room
from sem_field_synth.rooms.textures import reflectance

_AMBIENT = np.array([0.30, 0.31, 0.33])  # light that bounced around; scaled by how open the surroundings are
_AMBIENT_REACH = 0.9  # metres; farther surfaces do not darken a corner
_SURFACE_OFFSET = 2e-3  # metres; keeps a shadow ray from hitting where it starts


@dataclass(frozen=True)
class Quality:
    """Quality of a colour image. The defaults give a clean 320x240 image in about a second."""

    supersampling: int = 2  # colour rays per pixel and axis
    light_rays: int = 4  # shadow rays per light and colour ray
    ambient_rays: int = 6  # corner-darkening rays per colour ray


FAST = Quality(supersampling=1, light_rays=1, ambient_rays=0)


class RoomRenderer:
    """A room prepared for ray casting from any camera."""

    def __init__(self, room: Room, labels: LabelSet) -> None:
        parts = [(o, part) for o, thing in enumerate(room.objects) for part in thing.parts]
        counts = [len(part.faces) for _, part in parts]
        starts = np.cumsum([0] + [len(part.vertices) for _, part in parts[:-1]])
        self.lights = room.lights
        self.vertices = np.concatenate([part.vertices for _, part in parts]).astype(np.float32)
        self.faces = np.concatenate([part.faces + s for (_, part), s in zip(parts, starts, strict=True)])
        self._normals = np.concatenate([part.normals for _, part in parts])
        self._local = np.concatenate([part.local for _, part in parts])
        self._materials = [part.material for _, part in parts]
        self._part_of_face = np.repeat(np.arange(len(parts)), counts)
        index = [UNLABELLED_INDEX if t.label is None else labels.index_of(t.label) for t in room.objects]
        self.face_instance = np.repeat([o for o, _ in parts], counts)
        self.face_label = np.asarray(index, dtype=np.int16)[self.face_instance]
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=2)
        self._scene.add_triangles(_tensor(self.vertices), _tensor(self.faces.astype(np.uint32)))

    def geometry(self, camera: Intrinsics, T_world_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return depth [h, w] float32 metres (0 = nothing hit), label index [h, w] int16, object number [h, w] int."""
        rays = _camera_rays(camera, T_world_camera, 1)
        hit = self._scene.cast_rays(_tensor(rays))
        depth = hit["t_hit"].numpy()  # ray directions have unit z in the camera, so the distance is the depth
        found = np.isfinite(depth)
        face = np.where(found, hit["primitive_ids"].numpy(), 0)
        label = np.where(found, self.face_label[face], np.int16(UNLABELLED_INDEX))
        shape = (camera.height, camera.width)
        instance = np.where(found, self.face_instance[face], -1)
        return np.where(found, depth, np.float32(0)).reshape(shape), label.reshape(shape), instance.reshape(shape)

    def color(
        self, camera: Intrinsics, T_world_camera: np.ndarray, rng: np.random.Generator, quality: Quality = FAST
    ) -> np.ndarray:
        """Return the lit colour image [h, w, 3] uint8 RGB, tone-mapped, without sensor noise."""
        s = quality.supersampling
        rays = _camera_rays(camera, T_world_camera, s)
        hit = self._scene.cast_rays(_tensor(rays))
        found = np.isfinite(hit["t_hit"].numpy())
        radiance = np.zeros((len(rays), 3))
        if found.any():
            radiance[found] = self._radiance(rays[found], {k: v.numpy()[found] for k, v in hit.items()}, rng, quality)
        image: np.ndarray = radiance.reshape(camera.height * s, camera.width * s, 3).astype(np.float32)
        if s > 1:
            image = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        return _tone_map(image)

    def _radiance(
        self, rays: np.ndarray, hit: dict[str, np.ndarray], rng: np.random.Generator, quality: Quality
    ) -> np.ndarray:
        """Light towards the camera from each hit, [N, 3]."""
        face = hit["primitive_ids"]
        corner = self.faces[face]
        uv = hit["primitive_uvs"]
        weight = np.stack([1 - uv.sum(1), uv[:, 0], uv[:, 1]], 1)[:, :, None]
        normal = (self._normals[corner] * weight).sum(1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        local = (self._local[corner] * weight).sum(1)
        albedo, emission = self._surface(self._part_of_face[face], local)
        points = rays[:, :3] + rays[:, 3:] * hit["t_hit"][:, None] + _SURFACE_OFFSET * normal
        light = _AMBIENT * self._openness(points, normal, rng, quality.ambient_rays)[:, None]
        for source in self.lights:
            for _ in range(quality.light_rays):
                light += self._direct(points, normal, source, rng) / quality.light_rays
        return albedo * (light + emission[:, None])

    def _surface(self, part: np.ndarray, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance [N, 3] and emission [N] of hits on `part` [N]."""
        albedo, emission = np.zeros((len(part), 3)), np.zeros(len(part))
        order = np.argsort(part, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
            material = self._materials[part[group[0]]]
            albedo[group] = reflectance(local[group], material)
            emission[group] = material.emission
        return albedo, emission

    def _direct(self, points: np.ndarray, normal: np.ndarray, light: AreaLight, rng: np.random.Generator) -> np.ndarray:
        """Irradiance [N, 3] from one random point of an area light per surface point."""
        at = rng.uniform(-1, 1, (len(points), 2, 1))
        to_light = light.center + at[:, 0] * light.half_u + at[:, 1] * light.half_v - points
        distance = np.linalg.norm(to_light, axis=1, keepdims=True)
        cosine = np.clip((to_light / distance * normal).sum(1), 0, None)
        lit = cosine > 0
        lit[lit] = ~self.blocked(points[lit], to_light[lit], 0.98)
        return (cosine * lit / np.maximum(distance[:, 0], 0.5) ** 2)[:, None] * light.intensity

    def _openness(self, points: np.ndarray, normal: np.ndarray, rng: np.random.Generator, rays: int) -> np.ndarray:
        """Share of the surroundings within reach that is free, [N] in 0..1 (ambient occlusion)."""
        free = np.full(len(points), 1.0)
        for _ in range(rays):
            away = rng.normal(size=points.shape)
            away = away / np.linalg.norm(away, axis=1, keepdims=True) + normal
            free -= self.blocked(points, away * _AMBIENT_REACH, 1.0) / rays
        return 0.25 + 0.75 * free

    def blocked(self, points: np.ndarray, to_target: np.ndarray, far: float) -> np.ndarray:
        """Whether anything lies between `points` [N, 3] and `points + far * to_target` [N, 3], [N] bool."""
        rays = np.concatenate([points, to_target], 1).astype(np.float32)
        return self._scene.test_occlusions(_tensor(rays), tnear=0.0, tfar=far).numpy()


def _tensor(array: np.ndarray) -> o3d.core.Tensor:
    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(array))


def _camera_rays(camera: Intrinsics, T_world_camera: np.ndarray, supersampling: int) -> np.ndarray:
    """Rays [h*s*w*s, 6] float32 (origin, direction with unit z in the camera), row by row."""
    s = supersampling
    fine = camera.scaled(camera.width * s, camera.height * s)
    u, v = np.meshgrid(np.arange(fine.width), np.arange(fine.height))
    direction = np.stack([(u - fine.cx) / fine.fx, (v - fine.cy) / fine.fy, np.ones(u.shape)], -1).reshape(-1, 3)
    direction = direction @ T_world_camera[:3, :3].T
    return np.concatenate([np.broadcast_to(T_world_camera[:3, 3], direction.shape), direction], 1).astype(np.float32)


def _tone_map(radiance: np.ndarray) -> np.ndarray:
    """Linear radiance -> sRGB-like 8 bit with a soft shoulder for the lights."""
    mapped = radiance * (1 + radiance / 4) / (1 + radiance)  # 1 -> 0.63, 4 -> 1.6 before the clip
    return (np.clip(mapped * 1.5, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)
