"""Shapes and finishes of the parametric furniture. Local frame: floor at 0, front towards -y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_synth.homes.finishes import Finishes, hsv
from sem_field_synth.homes.made.panels import Surface
from sem_field_synth.scene import Finish

Size = tuple[float, float, float]  # width, depth, height in metres


@dataclass
class Part:
    """A surface of a parametric item, in its own frame, with its finish and NYU-40 class."""

    surface: Surface
    finish: Finish
    nyu40: str


def one_box(lower: tuple[float, float, float], upper: tuple[float, float, float], repeat: float = 1.0) -> Surface:
    """A box between two corners; a texture repeats every `repeat` metres."""
    surface = Surface((repeat, repeat))
    surface.box(np.array(lower), np.array(upper))
    return surface


def boxes(*corners: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Surface:
    """Several boxes as one surface, each between two corners."""
    surface = Surface()
    for lower, upper in corners:
        surface.box(np.array(lower), np.array(upper))
    return surface


def lathe(profile: list[tuple[float, float]], squash: float = 1.0, sides: int = 20, power: float = 2.0) -> Surface:
    """A turned shape: (radius, height) from outside bottom to inside; `squash` scales y, `power` squares it."""
    surface = Surface()
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    c, s = np.cos(angles), np.sin(angles)
    ring = np.column_stack([np.sign(c) * np.abs(c) ** (2 / power), squash * np.sign(s) * np.abs(s) ** (2 / power)])
    for (r0, z0), (r1, z1) in zip(profile[:-1], profile[1:], strict=True):
        for i in range(sides):
            a, b = ring[i], ring[(i + 1) % sides]
            corners = [[*(a * r0), z0], [*(b * r0), z0], [*(b * r1), z1], [*(a * r1), z1]]
            surface.add(np.array(corners), [[0, 1, 2], [0, 2, 3]], np.array([[0, z0], [0.1, z0], [0.1, z1], [0, z1]]))
    return surface


def any_wood(rng: np.random.Generator, finishes: Finishes) -> Finish:
    """Wood with grain, or painted."""
    if rng.random() < 0.5:
        return Finish(texture=finishes.wood(), shininess=0.2)
    return Finish(hsv(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.55, 0.95)), shininess=0.3)


def metal(rng: np.random.Generator) -> Finish:
    """Brushed or dark metal."""
    return Finish(hsv(0.1, 0.03, rng.uniform(0.35, 0.8)), shininess=0.8)
