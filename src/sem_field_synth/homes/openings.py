"""Doors (frame and leaf, open or shut) and windows (frame, bars, pane, sill) that fit the holes in the walls."""

from __future__ import annotations

import numpy as np
from shapely.geometry import Polygon

from sem_field_synth.homes.finishes import Finishes, hsv
from sem_field_synth.homes.home_building import Opening
from sem_field_synth.homes.made.panels import Surface, pose
from sem_field_synth.homes.made.shapes import Part
from sem_field_synth.scene import Finish

FRAME = 0.06  # metres, width of a door frame's boards
LEAF = 0.04  # metres, thickness of a door leaf


def leaf_pose(opening: Opening, left: bool, back: bool, angle: float) -> np.ndarray:
    """4x4 of a leaf opened by `angle`; in its own frame the hinge is the origin and it reaches along +x."""
    side = -1 if left else 1
    hinge = np.array([side * (opening.width / 2 - FRAME), (1 if back else -1) * (opening.thickness / 2 - LEAF)])
    turn = angle if left == back else -angle
    T = pose(opening.center[0], opening.center[1], 0, opening.yaw) @ pose(hinge[0], hinge[1], 0, 0 if left else np.pi)
    return np.asarray(T @ pose(0, 0, 0, turn))


def leaf_footprint(opening: Opening, T_world_leaf: np.ndarray) -> Polygon:
    """Where a leaf stands, seen from above."""
    width = opening.width - 2 * FRAME
    corners = np.array([[0.05, -LEAF / 2], [width, -LEAF / 2], [width, LEAF / 2], [0.05, LEAF / 2]])
    return Polygon(corners @ T_world_leaf[:2, :2].T + T_world_leaf[:2, 3])


def door_frame(rng: np.random.Generator, opening: Opening) -> list[Part]:
    """Jambs and head around a doorway, in the opening's frame (x along the wall, floor at 0)."""
    x, y, top = opening.width / 2, opening.thickness / 2 + 0.012, opening.top
    surface = Surface()
    surface.box(np.array([-x, -y, 0]), np.array([-x + FRAME, y, top]))
    surface.box(np.array([x - FRAME, -y, 0]), np.array([x, y, top]))
    surface.box(np.array([-x + FRAME, -y, top - FRAME]), np.array([x - FRAME, y, top]))
    return [Part(surface, _paint(rng), "door")]


def door_leaf(rng: np.random.Generator, finishes: Finishes, opening: Opening) -> list[Part]:
    """A leaf with panels or plain, and handles, in its own frame: the hinge is the z axis, it reaches along +x."""
    width, height, y = opening.width - 2 * FRAME - 0.004, opening.top - FRAME - 0.006, LEAF / 2
    wood = Finish(texture=finishes.wood(), shininess=0.25) if rng.random() < 0.45 else _paint(rng)
    body = Surface((1.0, 1.0))
    body.box(np.array([0, -y, 0.006]), np.array([width, y, height]))
    parts = [Part(body, wood, "door")]
    style = rng.random()
    if style < 0.6:
        panels = Surface()
        rows = int(rng.choice([1, 2, 3]))
        columns = 1 if width < 0.7 or rng.random() < 0.5 else 2
        for i in range(columns):
            for j in range(rows):
                x0, x1 = 0.1 + i * (width - 0.1) / columns, (i + 1) * (width - 0.1) / columns
                z0, z1 = 0.2 + j * (height - 0.25) / rows, 0.1 + (j + 1) * (height - 0.2) / rows
                panels.box(np.array([x0, -y - 0.008, z0]), np.array([x1, y + 0.008, z1]))
        parts.append(Part(panels, wood, "door"))
    grip = Surface()
    for side in (-1, 1):
        a, b = sorted((side * y, side * (y + 0.05)))
        grip.box(np.array([width - 0.09, a, 1.0]), np.array([width - 0.07, b, 1.02]))
        a, b = sorted((side * (y + 0.035), side * (y + 0.05)))
        grip.box(np.array([width - 0.19, a, 1.0]), np.array([width - 0.07, b, 1.02]))
    return [*parts, Part(grip, Finish((0.6, 0.58, 0.52), shininess=0.8), "door")]


def window(rng: np.random.Generator, opening: Opening) -> list[Part]:
    """Frame, bars, pane and sill, in the opening's frame (x along the wall, z from the floor)."""
    x, low, high = opening.width / 2, opening.bottom, opening.top
    y = 0.035
    edge = float(rng.uniform(0.045, 0.07))
    frame = Surface()
    frame.box(np.array([-x, -y, low]), np.array([-x + edge, y, high]))
    frame.box(np.array([x - edge, -y, low]), np.array([x, y, high]))
    frame.box(np.array([-x + edge, -y, low]), np.array([x - edge, y, low + edge]))
    frame.box(np.array([-x + edge, -y, high - edge]), np.array([x - edge, y, high]))
    for i in range(1, max(1, round(opening.width / 0.65))):
        a = -x + i * opening.width / max(1, round(opening.width / 0.65))
        frame.box(np.array([a - edge / 2, -y, low + edge]), np.array([a + edge / 2, y, high - edge]))
    if rng.random() < 0.35:
        z = low + (high - low) * float(rng.choice([0.5, 0.66]))
        frame.box(np.array([-x + edge, -y * 0.8, z - 0.015]), np.array([x - edge, y * 0.8, z + 0.015]))
    pane = Surface()
    pane.box(np.array([-x + edge, -0.003, low + edge]), np.array([x - edge, 0.003, high - edge]))
    parts = [
        Part(frame, _paint(rng), "window"),
        Part(pane, Finish((0.85, 0.92, 0.95), shininess=0.9, opacity=0.08), "window"),
    ]
    if low > 0.2:
        sill = Surface()
        deep = opening.thickness / 2 + 0.06
        sill.box(np.array([-x - 0.04, -deep, low - 0.03]), np.array([x + 0.04, deep, low]))
        parts.append(Part(sill, _paint(rng), "window"))
    return parts


def _paint(rng: np.random.Generator) -> Finish:
    if rng.random() < 0.6:
        return Finish(hsv(0.12, rng.uniform(0, 0.05), rng.uniform(0.8, 0.96)), shininess=0.3)
    if rng.random() < 0.6:
        return Finish(hsv(rng.uniform(0.05, 0.1), rng.uniform(0.4, 0.7), rng.uniform(0.2, 0.6)), shininess=0.3)
    return Finish(hsv(rng.random(), rng.uniform(0.1, 0.5), rng.uniform(0.2, 0.7)), shininess=0.3)
