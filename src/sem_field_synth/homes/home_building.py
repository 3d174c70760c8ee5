"""A level's walls with openings, floors and ceilings as Panels; each wall face has the finish of the room it faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from sem_field_synth.homes.home_xml import Level, Piece, Room
from sem_field_synth.homes.made.panels import Surface, clean, polygons, rectangle
from sem_field_synth.scene import Finish, Panel

REACH = 0.35  # how far an opening's cut reaches to either side of its wall's middle, metres
OPEN_DOOR = "openDoor"  # this piece includes the swung leaf: its wall is at the back


@dataclass(frozen=True)
class Opening:
    """A door or window in a wall.

    center [2], yaw  middle of the opening within the wall; the wall runs along the turned x axis
    """

    kind: str  # door, frame (no leaf) or window
    center: np.ndarray
    yaw: float
    width: float
    bottom: float
    top: float
    thickness: float  # of the wall
    outside: bool  # leads out of the home


@dataclass(frozen=True)
class RoomFinish:
    """How one room is painted: `lower_height` metres of the wall from the floor look like `lower` where given."""

    wall: Finish
    wall_repeat: tuple[float, float]
    floor: Finish
    floor_repeat: tuple[float, float]
    ceiling: Finish
    lower: Finish | None = None
    lower_height: float = 0.0


class Building:
    """The solid parts of a level: `walls` (footprint of everything solid), `openings`, and `indoors` of the home."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.height = min(level.height, 3.2)
        self.rooms = [r for r in level.rooms if len(r.polygon) >= 3 and Polygon(r.polygon).buffer(0).area > 0.5]
        self.polygons = [clean(Polygon(r.polygon)) for r in self.rooms]
        self._walls = [(clean(Polygon(w.footprint)), min(w.height, self.height)) for w in level.walls if w.height > 0.3]
        self.walls = shapely.union_all([w for w, _ in self._walls])
        self.openings = [o for o in (self._opening(p) for p in level.pieces if p.kind == "opening") if o]
        inside = [p for p, r in zip(self.polygons, self.rooms, strict=True) if is_indoors(r)]
        self.indoors = shapely.union_all(inside)

    def room_at(self, point: np.ndarray, reach: float = 0.0) -> int | None:
        """Index of the room a point [2] lies in (or within `reach` metres of), None outside."""
        place = Point(point)
        distances = [p.distance(place) for p in self.polygons]
        if not distances:
            return None
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] <= reach else None

    def _opening(self, piece: Piece) -> Opening | None:
        name = piece.id.partition("#")[2]
        back = np.array([-np.sin(piece.yaw), np.cos(piece.yaw)])
        center = piece.center + (back * (piece.size[1] / 2 - 0.07) if name == OPEN_DOOR else 0)
        walls = [w for w, _ in self._walls if w.distance(Point(center)) < 0.12]
        if not walls:
            return None
        across = shapely.LineString([center - back * 1.0, center + back * 1.0])
        cut = min(
            (w.intersection(across) for w in walls if w.intersects(across)), key=lambda g: g.distance(Point(center))
        )
        thickness = float(np.clip(cut.length, 0.05, 0.5))
        middle = np.array(cut.centroid.coords[0]) if not cut.is_empty else center
        kind = "frame" if "Frame" in name else "door" if "oor" in name else "window"
        sides = [self.room_at(middle + s * back * (thickness / 2 + 0.15), reach=0.05) for s in (-1, 1)]
        outside = any(i is None or not is_indoors(self.rooms[i]) for i in sides)
        top = min(piece.elevation + piece.size[2], self.height - 0.05)
        if kind != "window" or piece.elevation < 0.15:
            bottom = 0.0
        else:
            bottom = piece.elevation
        if top - bottom < 0.3:
            return None
        return Opening(kind, middle, piece.yaw, piece.size[0], bottom, top, thickness, outside)

    def panels(self, finish_of: Callable[[int | None], RoomFinish], number: Callable[[str], int]) -> list[Panel]:
        """Walls, floors and ceilings. `finish_of` a room (None: outdoors); `number` names an instance."""
        surfaces: dict[tuple[int | None, str], Surface] = {}

        def surface(room: int | None, part: str) -> Surface:
            finish = finish_of(room)
            repeat = finish.floor_repeat if part == "floor" else finish.wall_repeat
            return surfaces.setdefault((room, part), Surface(repeat))

        self._walls_into(surface, finish_of)
        self._floors_into(surface)
        panels = []
        for (room, part), content in surfaces.items():
            look = finish_of(room)
            finish = {"wall": look.wall, "lower": look.lower or look.wall, "floor": look.floor, "ceiling": look.ceiling}
            nyu40 = "wall" if part == "lower" else part
            where = "outside" if room is None else f"room {room}"
            panels.append(content.panel(finish[part], nyu40, number(f"{nyu40} of {where}")))
        return panels

    def _walls_into(
        self, surface: Callable[[int | None, str], Surface], finish_of: Callable[[int | None], RoomFinish]
    ) -> None:
        heights = {0.0, self.height, *(h for _, h in self._walls)}
        heights |= {z for o in self.openings for z in (o.bottom, o.top)}
        heights |= {finish_of(i).lower_height for i in range(len(self.rooms)) if finish_of(i).lower}
        steps = sorted(h for h in heights if 0 <= h <= self.height)
        below: BaseGeometry = Polygon()
        for low, high in pairwise(steps):
            if high - low < 1e-4:
                continue
            solid = self._solid((low + high) / 2)
            for z, shape, up in ((low, below.difference(solid), True), (low, solid.difference(below), False)):
                if z > 0:
                    for part in polygons(shape):
                        room = self.room_at(np.array(part.representative_point().coords[0]), reach=0.5)
                        surface(room, "wall").flat(part, z, up)
            for polygon in polygons(solid):
                for ring in (polygon.exterior, *polygon.interiors):
                    self._sides(np.array(shapely.get_coordinates(ring)), ring.is_ccw, low, high, surface, finish_of)
            below = solid

    def _solid(self, z: float) -> BaseGeometry:
        """Footprint of what is solid at height z."""
        solid = shapely.union_all([w for w, height in self._walls if height > z], grid_size=1e-4)
        cuts = [
            rectangle(o.center, o.yaw, o.width, o.thickness + 2 * (REACH if o.thickness > 0.3 else 0.12))
            for o in self.openings
            if o.bottom < z < o.top
        ]
        return solid.difference(shapely.union_all(cuts), grid_size=1e-4) if cuts else solid

    def _sides(
        self,
        ring: np.ndarray,
        counter_clockwise: bool,
        low: float,
        high: float,
        surface: Callable[[int | None, str], Surface],
        finish_of: Callable[[int | None], RoomFinish],
    ) -> None:
        """The upright faces along a ring [P + 1, 2]; rings have the solid on their left once they are exterior ccw."""
        for a, b in pairwise(ring):
            length = float(np.linalg.norm(b - a))
            if length < 1e-3:
                continue
            out = np.array([b[1] - a[1], a[0] - b[0]]) / length
            middle = (a + b) / 2
            if _inside(self._solid_cached(low, high), middle + out * 2e-3):
                a, b, out = b, a, -out
            room = self.room_at(middle + out * 0.1, reach=0.12)
            look = finish_of(room)
            part = "lower" if look.lower is not None and high <= look.lower_height + 1e-6 else "wall"
            corners = np.array([[*a, low], [*b, low], [*b, high], [*a, high]])
            offset = float(a @ ((b - a) / length))
            target = surface(room, part)
            uv = np.array([[offset, low], [offset + length, low], [offset + length, high], [offset, high]])
            target.add(corners, [[0, 1, 2], [0, 2, 3]], uv)

    def _solid_cached(self, low: float, high: float) -> BaseGeometry:
        key = (low, high)
        if getattr(self, "_last", None) != key:
            self._last, self._shape = key, self._solid((low + high) / 2)
        return self._shape

    def _floors_into(self, surface: Callable[[int | None, str], Surface]) -> None:
        outline = shapely.union_all([self.walls, *self.polygons], grid_size=1e-4)
        outline = shapely.union_all([Polygon(p.exterior) for p in polygons(outline.buffer(0.01))])
        taken: BaseGeometry = Polygon()
        for i, polygon in enumerate(self.polygons):
            if not self.rooms[i].floor:
                continue
            own = clean(polygon.difference(taken, grid_size=1e-4))
            surface(i, "floor").flat(own, 0.0)
            taken = shapely.union_all([taken, own], grid_size=1e-4)
        # thresholds and gaps between rooms belong to the nearest room
        for part in polygons(outline.difference(taken, grid_size=1e-4)):
            room = self.room_at(np.array(part.representative_point().coords[0]), reach=1.0)
            surface(room, "floor").flat(part, 0.0)
        open_air = [p for p, r in zip(self.polygons, self.rooms, strict=True) if not is_indoors(r)]
        covered = outline.difference(shapely.union_all(open_air).buffer(0.02).difference(self.walls), grid_size=1e-4)
        done: BaseGeometry = Polygon()
        for i, polygon in enumerate(self.polygons):
            if is_indoors(self.rooms[i]):
                own = clean(polygon.difference(done, grid_size=1e-4))
                surface(i, "ceiling").flat(own, self.height, up=False)
                done = shapely.union_all([done, own], grid_size=1e-4)
        for part in polygons(covered.difference(done, grid_size=1e-4)):
            surface(None, "ceiling").flat(part, self.height, up=False)


def _inside(shape: BaseGeometry, point: np.ndarray) -> bool:
    return bool(shapely.contains_xy(shape, point[0], point[1]))


def is_indoors(room: Room) -> bool:
    """Whether a room has a roof over it: terraces, balconies and gardens have none."""
    return room.name.lower() not in ("terrace", "balcony", "roof", "garden")
