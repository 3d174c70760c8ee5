"""Items placed in a home, and the occupied space that keeps them out of walls and of each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from sem_field_synth.catalogue.catalogue import CatalogueModel
from sem_field_synth.homes.made.panels import pose, rectangle
from sem_field_synth.homes.made.shapes import Part
from sem_field_synth.scene import Finish

SLACK = 0.015  # metres two things may overlap: tables touch walls, cabinets stand side by side
TUCKED = 0.14  # metres a chair may reach under a table


@dataclass
class Item:
    """A placed item: its box, role and look (a catalogue model or parametric parts).

    center [2], yaw  world; at yaw 0 its front faces -y        bottom, size  metres
    scale  [3] of a model's own size along width, depth, height; ignored for parts
    """

    role: str
    nyu40: str
    center: np.ndarray
    yaw: float
    bottom: float
    size: tuple[float, float, float]
    room: int | None = None
    model: CatalogueModel | None = None
    mirrored: bool = False
    parts: list[Part] = field(default_factory=list)
    finishes: dict[str, Finish] = field(default_factory=dict)
    instance_of: str = ""

    @property
    def top(self) -> float:
        """Height of its highest point, metres."""
        return self.bottom + self.size[2]

    @property
    def footprint(self) -> Polygon:
        """Its footprint, seen from above."""
        return rectangle(self.center, self.yaw, self.size[0], self.size[1])

    @property
    def front(self) -> np.ndarray:
        """Unit vector [2] its front faces."""
        return np.array([np.sin(self.yaw), -np.cos(self.yaw)])

    @property
    def T_world_item(self) -> np.ndarray:
        """4x4 from its own frame (floor at 0, front towards -y) to the world."""
        return pose(self.center[0], self.center[1], self.bottom, self.yaw)

    @property
    def T_world_model(self) -> np.ndarray:
        """4x4 from the model file's coordinates to the world: its bounding box becomes this item's box."""
        assert self.model is not None
        model = self.model
        extent = np.maximum(model.upper - model.lower, 1e-9)
        scale = np.diag([self.size[0], self.size[2], self.size[1]] / extent)
        if self.mirrored:
            scale[0] = -scale[0]
        upright = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # y up, front +z -> z up, front -y
        T = np.eye(4)
        T[:3, :3] = upright @ scale @ model.rotation
        middle = upright @ scale @ ((model.lower + model.upper) / 2)
        T[:3, 3] = -middle + [0, 0, self.size[2] / 2]
        return np.asarray(self.T_world_item @ T)


class Space:
    """Occupied space: walls, doorways and items. Boxes are compared in plan and in height."""

    def __init__(
        self, walls: BaseGeometry, rooms: list[BaseGeometry], keep_free: list[tuple[BaseGeometry, float]]
    ) -> None:
        self.walls = walls
        self.rooms = rooms
        self.keep_free = keep_free  # areas and the height below which nothing may stand in them
        self.items: list[Item] = []
        shapely.prepare(walls)

    def fits(self, item: Item, room: int | None, support: Item | None = None) -> bool:
        """Whether an item lies inside its room, outside walls and doorways, clear of all others except `support`."""
        shape = item.footprint.buffer(-SLACK, join_style="mitre")
        if shape.is_empty:
            shape = item.footprint
        if room is not None and not self.rooms[room].buffer(0.03).covers(shape):
            return False
        if self.walls.intersects(shape):
            return False
        if any(item.bottom < height and area.intersects(shape) for area, height in self.keep_free):
            return False
        for other in self.items:
            if (
                other is support
                or other.nyu40 == "floor mat"
                or other.top <= item.bottom + 0.005
                or item.top <= other.bottom + 0.005
            ):
                continue
            if np.hypot(*(other.center - item.center)) > np.hypot(*item.size[:2]) / 2 + np.hypot(*other.size[:2]) / 2:
                continue
            tucked = {item.nyu40, other.nyu40} in ({"chair", "table"}, {"chair", "desk"}, {"chair", "counter"})
            if other.footprint.buffer(-TUCKED if tucked else 0.0).intersects(shape):
                return False
        return True

    def add(self, item: Item) -> Item:
        """Remember an item."""
        self.items.append(item)
        return item

    def place(self, item: Item, room: int | None, shifts: tuple[float, ...] = (0.0, 0.06, 0.15, 0.3)) -> Item | None:
        """Add an item at its place or slightly beside it; None if it does not fit."""
        home = item.center
        for shift in shifts:
            for turn in range(1 if shift == 0 else 8):
                angle = turn * np.pi / 4 + item.yaw
                item.center = home + shift * np.array([np.cos(angle), np.sin(angle)])
                if self.fits(item, room):
                    return self.add(item)
        item.center = home
        return None
