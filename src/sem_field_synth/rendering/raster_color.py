"""Draws a home scene without Blender: textured surfaces with a lamp's falloff and a little shade in the corners.

A quick stand-in for tests and for machines without bpy; its light does not bounce and casts no shadows.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.geometry.camera import unproject
from sem_field_synth.rendering.ground_truth import TruthCaster, texel
from sem_field_synth.rendering.scene_mesh import SceneMesh
from sem_field_synth.scene import HomeScene

_AMBIENT = 0.45


class RasterRenderer:
    """Draws frames of one scene. A context manager, like the Cycles renderer."""

    def __init__(self, scene: HomeScene, mesh: SceneMesh, caster: TruthCaster) -> None:
        self._scene, self._mesh, self._caster = scene, mesh, caster
        self._poses: dict[str, np.ndarray] = {}

    def __enter__(self) -> RasterRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self._poses.clear()

    def ask(self, name: str, T_world_camera: np.ndarray) -> None:
        """Request a frame."""
        self._poses[name] = T_world_camera

    def take(self, name: str) -> np.ndarray:
        """The requested image: [H, W, 3] float32 linear RGB."""
        pose = self._poses.pop(name)
        truth = self._caster.cast(self._scene.camera, pose)
        hit = truth.triangle >= 0
        triangle = truth.triangle[hit]
        points = (unproject(truth.depth, self._scene.camera)[hit]) @ pose[:3, :3].T + pose[:3, 3]
        normals = self._mesh.normals[triangle].mean(axis=1)
        normals *= np.sign(((pose[:3, 3] - points) * normals).sum(1, keepdims=True))  # backs are lit like fronts
        color, strength = self._scene.sky
        picture = np.empty((*truth.depth.shape, 3), np.float32)
        picture[:] = _linear(np.array(color)) * strength
        light = self._light(points, normals)
        picture[hit] = self._albedo(triangle, truth.uv[hit]) * light + self._emission(triangle)[:, None]
        return picture

    def _albedo(self, triangle: np.ndarray, uv: np.ndarray) -> np.ndarray:
        finish = self._mesh.finish[triangle]
        plain = np.array([f.color for f in self._mesh.finishes])
        albedo = plain[finish]
        for number in np.unique(finish):
            texture = self._mesh.finishes[number].texture
            if texture is not None:
                at = finish == number
                image = _read_texture(texture)
                albedo[at] = image[texel(uv[at], image.shape)] / 255.0
        return _linear(albedo)

    def _emission(self, triangle: np.ndarray) -> np.ndarray:
        emission = np.array([f.emission for f in self._mesh.finishes])
        return emission[self._mesh.finish[triangle]]

    def _light(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Irradiance over pi [N, 3] of all lamps without shadows, and an ambient share of the brightest."""
        total = np.zeros_like(points)
        for lamp in self._scene.lamps:
            if lamp.kind == "sun":
                continue  # it shines through windows, which needs shadows
            ray = np.asarray(lamp.position) - points
            square = (ray * ray).sum(1) + 0.3
            cosine = np.maximum((ray * normals).sum(1), 0) / np.sqrt(square)
            total += (lamp.power / (4 * np.pi**2) * cosine / square)[:, None] * _linear(np.array(lamp.color))
        if not self._scene.lamps or not total.any():
            total += (0.6 + 0.4 * np.abs(normals[:, 2:])) * self._scene.sky[1]
        return total + _AMBIENT * total.mean(axis=0)


@lru_cache(maxsize=256)
def _read_texture(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return np.full((1, 1, 3), 200, np.uint8)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _linear(color: np.ndarray) -> np.ndarray:
    """sRGB 0..1 to linear, any shape."""
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
