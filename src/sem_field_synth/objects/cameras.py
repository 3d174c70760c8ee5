"""Cameras about a normalised object, as in Semantic SRN: random on a sphere to train, a spiral to test."""

from __future__ import annotations

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.viewpoints import look_at

DISTANCE = 1.3  # from the object's centre; the sphere of RADIUS 0.5 then fills 88 % of the picture's height
_FOCAL_SHARE = 525.0 / 512.0  # focal length over image size, 52 degrees
_SPIRAL_TURNS = 7.0
_SPIRAL_TOP_DEG = 4.0  # from the zenith; there azimuth has no meaning


def object_camera(size: int) -> Intrinsics:
    """The square camera of every view."""
    middle = (size - 1) / 2
    return Intrinsics(_FOCAL_SHARE * size, _FOCAL_SHARE * size, middle, middle, size, size)


def random_views(count: int, rng: np.random.Generator, lowest_deg: float = -30.0) -> np.ndarray:
    """T_world_camera [count, 4, 4] spread evenly over the sphere above the elevation `lowest_deg` (-90: all of it)."""
    low = np.sin(np.radians(lowest_deg))
    z = rng.uniform(low, np.sin(np.radians(90 - _SPIRAL_TOP_DEG)), count)
    azimuth = rng.uniform(0, 2 * np.pi, count)
    return looking_in(azimuth, z)


def spiral_views(count: int) -> np.ndarray:
    """T_world_camera [count, 4, 4] at equal steps along an Archimedean spiral from the horizon up to the zenith.

    The angle from the zenith falls linearly with the azimuth, so the turns lie equally far apart.
    """
    fine = np.linspace(0, 1, 20_000)
    polar = np.radians(90 + (_SPIRAL_TOP_DEG - 90) * fine)
    azimuth = 2 * np.pi * _SPIRAL_TURNS * fine
    steps = np.hypot(np.diff(polar), np.sin((polar[1:] + polar[:-1]) / 2) * np.diff(azimuth))
    length = np.concatenate([[0], np.cumsum(steps)])
    at = np.interp(np.linspace(0, length[-1], count), length, fine)
    return looking_in(np.interp(at, fine, azimuth), np.cos(np.interp(at, fine, polar)))


def looking_in(azimuth: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Cameras at (azimuth from -y, sine of the elevation) that look at the origin with the z axis up."""
    across = np.sqrt(1 - z**2)
    eyes = DISTANCE * np.stack([across * np.sin(azimuth), -across * np.cos(azimuth), z], -1)
    up = np.array([0.0, 0.0, 1.0])
    return np.array([look_at(eye, np.zeros(3), up) for eye in eyes]).reshape(-1, 4, 4)
