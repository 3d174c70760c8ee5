"""HomeScene: what a renderer needs to draw a furnished home: surfaces, placed models, lamps and the camera's path."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics

Color = tuple[float, float, float]  # sRGB, each 0..1


@dataclass(frozen=True)
class Finish:
    """How a surface looks.

    texture    image file, used instead of `color`
    shininess  0 matt .. 1 polished
    opacity    1 opaque .. 0 invisible (window panes, glass tables)
    emission   radiance of the surface itself, W/(m^2 sr); lamp shades and screens
    """

    color: Color = (0.8, 0.8, 0.8)
    texture: Path | None = None
    shininess: float = 0.0
    opacity: float = 1.0
    emission: float = 0.0


@dataclass(frozen=True)
class Panel:
    """A surface of the building: walls, floor, ceiling.

    vertices  [V, 3] float64 world metres         faces  [F, 3] int64, seen from the side their normal points to
    uv        [V, 2] float64 texture repetitions (1.0 = once over the texture)
    """

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    finish: Finish
    nyu40: str  # class name in label set nyu40
    instance: int


@dataclass(frozen=True)
class PlacedModel:
    """A furniture model (an .obj file with its .mtl and textures beside it) placed in the world.

    T_world_model  4x4 float64 from the file's own coordinates, scale included, to world metres
    finishes       replacements of the file's materials, by material name
    classes        NYU-40 class of materials that differ from `nyu40`: a cabinet's worktop is a counter
    """

    model: Path
    T_world_model: np.ndarray
    nyu40: str
    instance: int
    asset: str  # catalogue id, for the attribution file
    finishes: dict[str, Finish] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lamp:
    """A light: `area` (a square of side `size_m` shining down), `point` (a sphere of radius `size_m`) or `sun`.

    position   [3] world metres; of a sun only the direction from the origin to it counts
    power      watts; W/m^2 for a sun
    """

    kind: str
    position: np.ndarray
    power: float
    size_m: float = 0.1
    color: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class HomeScene:
    """A furnished home and a camera's way through it. World: z up, metres, floor at z = 0.

    T_world_camera  [N, 4, 4] float64, optical camera frames       stamps_ns  [N] int64
    room            polygon of the room that is seen, [P, 2] world metres
    exposure        stops by which the image is brightened         sky  radiance of the sky outside (color, strength)
    """

    name: str
    panels: list[Panel]
    models: list[PlacedModel]
    lamps: list[Lamp]
    camera: Intrinsics
    T_world_camera: np.ndarray
    stamps_ns: np.ndarray
    room: np.ndarray
    exposure: float = 0.0
    sky: tuple[Color, float] = ((0.7, 0.8, 1.0), 1.0)
    instances: dict[int, str] = field(default_factory=dict)  # instance id -> asset or panel name
