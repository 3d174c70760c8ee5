"""Furnishes what a home leaves empty, by the kind of room: along the walls, around tables, on the floor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from sem_field_ros.generation.class_table import roles
from sem_field_ros.generation.homes.finishes import Finishes
from sem_field_ros.generation.homes.home_building import Building
from sem_field_ros.generation.homes.parametric import MAKERS
from sem_field_ros.generation.homes.placing import Item, Space
from sem_field_ros.generation.homes.refurnish import BETWEEN, Chooser, set_on

FULL = {
    "bath": 0.52,
    "kitchen": 0.5,
    "bedroom": 0.5,
    "living": 0.48,
}  # of a room's floor that furniture may cover; 0.42 elsewhere
# (role, how likely, how many at most) in the order they are tried; what is there already counts
WANTED: dict[str, tuple[tuple[str, float, int], ...]] = {
    "living": (
        ("sofa", 0.9, 2),
        ("tv stand", 0.6, 1),
        ("wall tv", 0.15, 1),
        ("fireplace", 0.15, 1),
        ("bookshelf", 0.75, 3),
        ("armchair", 0.6, 2),
        ("sideboard", 0.4, 1),
        ("dresser", 0.3, 1),
        ("floor lamp", 0.5, 1),
        ("floor plant", 0.6, 2),
        ("desk", 0.2, 1),
        ("stool", 0.3, 1),
        ("floor thing", 0.4, 2),
        ("bag", 0.2, 1),
    ),
    "bedroom": (
        ("bed", 1.0, 1),
        ("wardrobe", 0.8, 1),
        ("night stand", 0.8, 2),
        ("crib", 0.12, 1),
        ("desk", 0.6, 1),
        ("dresser", 0.4, 1),
        ("bookshelf", 0.4, 1),
        ("armchair", 0.25, 1),
        ("floor plant", 0.25, 1),
        ("bin", 0.3, 1),
        ("floor thing", 0.5, 2),
        ("bag", 0.35, 1),
        ("box", 0.2, 1),
    ),
    "kitchen": (
        ("refrigerator", 1.0, 1),
        ("kitchen sink", 1.0, 1),
        ("stove", 0.9, 1),
        ("lower cabinet", 0.9, 5),
        ("upper cabinet", 0.6, 4),
        ("washer", 0.3, 1),
        ("high cabinet", 0.2, 1),
        ("bin", 0.5, 1),
    ),
    "bath": (
        ("toilet", 1.0, 1),
        ("washbasin", 1.0, 1),
        ("bidet", 0.25, 1),
        ("bathtub", 0.75, 1),
        ("washer", 0.2, 1),
        ("towel rack", 0.4, 1),
        ("towel radiator", 0.4, 1),
        ("lower cabinet", 0.3, 1),
        ("bin", 0.4, 1),
    ),
    "office": (
        ("desk", 1.0, 2),
        ("bookshelf", 0.9, 3),
        ("filing cabinet", 0.6, 2),
        ("sideboard", 0.3, 1),
        ("armchair", 0.3, 1),
        ("sofa", 0.3, 1),
        ("floor plant", 0.4, 1),
        ("bin", 0.6, 1),
        ("box", 0.4, 2),
        ("bag", 0.3, 1),
    ),
    "corridor": (
        ("dresser", 0.4, 1),
        ("bookshelf", 0.35, 1),
        ("mirror", 0.4, 1),
        ("stool", 0.3, 1),
        ("floor plant", 0.3, 1),
        ("floor thing", 0.4, 2),
        ("bag", 0.3, 1),
    ),
}
IN_FRONT = {"sofa": 0.6, "desk": 0.7, "bookshelf": 0.3, "refrigerator": 0.5, "toilet": 0.4, "wardrobe": 0.4, "bed": 0.2}
ON_WALL = {"mirror": 1.0, "towel rack": 1.0, "upper cabinet": 1.45}  # metres of their lower side
TABLES = ("dining table", "desk")


def fill(
    space: Space, building: Building, room: int, kind: str, chooser: Chooser, finishes: Finishes, modest: bool
) -> None:
    """Add what a room of its kind lacks. `modest`: a room seen through a door only, which gets the large things."""
    rng = chooser.rng
    area = building.polygons[room].area
    for role, chance, most in WANTED.get(kind, ()):
        there = sum(1 for i in space.items if i.room == room and i.role == role)
        for _ in range(most - there):
            used = sum(i.footprint.area for i in space.items if i.room == room and i.bottom < 0.3)
            if used > FULL.get(kind, 0.42) * area or rng.random() > chance or (modest and chance < 0.5):
                break
            along_wall(space, building, room, role, chooser, finishes)
    if kind == "kitchen" or (kind == "living" and area > 14):
        dining(space, building, room, chooser, finishes)
    seats(space, room, chooser)
    living_group(space, room, chooser, finishes)


def some_item(role: str, room: int, chooser: Chooser, finishes: Finishes) -> Iterator[Item]:
    """Items of a role to try, in real size about: models of the catalogue, then one made here."""
    rng = chooser.rng
    usual = MAKERS[role][1] if role in MAKERS else (0.8, 0.5, 1.0)
    found = chooser.candidates(role, room, usual[0], usual[1])[:3]
    for model in found:
        scale = float(rng.uniform(*BETWEEN)) if role != "lower cabinet" else 1.0
        width, depth, height = (s * scale for s in model.size)
        bottom = model.elevation if model.elevation < 1.2 else 0.0
        item = Item(role, roles()[role].nyu40, np.zeros(2), 0.0, bottom, (width, depth, height), room, model)
        item.finishes = chooser.coat(model, role, room)
        yield item
    if role in MAKERS:
        width, depth, height = (float(s * rng.uniform(0.9, 1.1)) for s in usual)
        yield Item(role, roles()[role].nyu40, np.zeros(2), 0.0, 0.0, (width, depth, height), room)


def along_wall(
    space: Space, building: Building, room: int, role: str, chooser: Chooser, finishes: Finishes, tries: int = 24
) -> Item | None:
    """Stand something with its back to a wall, its front free, not before a window it would cover."""
    rng = chooser.rng
    for item in some_item(role, room, chooser, finishes):
        item.bottom = ON_WALL.get(role, item.bottom)
        if item.top > building.height - 0.05:
            continue
        for _ in range(tries):
            if not to_wall(item, building, room, rng) or covers_window(item, building):
                continue
            if not space.fits(item, room) or not front_is_free(item, space, IN_FRONT.get(role, 0.0)):
                continue
            if item.model is None:
                item.parts = MAKERS[role][0](rng, finishes, item.size)
            space.add(item)
            if role == "tv stand" and item.nyu40 == "cabinet" and item.size[2] < 0.7:
                on_top(space, item, "tv", room, chooser, finishes)
            if role == "washbasin":
                mirror_above(space, item, room, rng, finishes)
            return item
    return None


def to_wall(item: Item, building: Building, room: int, rng: np.random.Generator) -> bool:
    """Move an item to a random place along the room's walls, often into a corner; False where no wall is."""
    ring = np.array(shapely.get_coordinates(building.polygons[room].exterior))
    if not building.polygons[room].exterior.is_ccw:
        ring = ring[::-1]
    lengths = np.linalg.norm(np.diff(ring, axis=0), axis=1)
    k = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
    half = item.size[0] / 2 + 0.02
    if lengths[k] < 2 * half:
        return False
    along = (ring[k + 1] - ring[k]) / lengths[k]
    inward = np.array([-along[1], along[0]])
    draw = rng.random()
    place = half if draw < 0.25 else lengths[k] - half if draw < 0.5 else rng.uniform(half, lengths[k] - half)
    spot = ring[k] + along * place
    if not all(
        shapely.contains_xy(building.walls, *(spot + s * along - inward * 0.06)) for s in (-half * 0.8, half * 0.8)
    ):
        return False
    item.center = spot + inward * (item.size[1] / 2 + 0.02)
    item.yaw = float(np.arctan2(inward[0], -inward[1]))
    return True


def covers_window(item: Item, building: Building) -> bool:
    """Whether an item stands before a window or doorway whose hole it reaches."""
    shape = item.footprint.buffer(0.12)
    for opening in building.openings:
        along = np.array([np.cos(opening.yaw), np.sin(opening.yaw)]) * opening.width / 2
        strip = shapely.LineString([opening.center - along, opening.center + along]).buffer(opening.thickness / 2 + 0.1)
        if item.top > opening.bottom + 0.1 and item.bottom < opening.top and strip.intersects(shape):
            return True
    return False


def front_is_free(item: Item, space: Space, metres: float) -> bool:
    """Whether nothing stands within `metres` before an item."""
    if metres <= 0:
        return True
    ahead = Item(
        "",
        "wall",
        item.center + item.front * (item.size[1] + metres) / 2,
        item.yaw,
        0.05,
        (item.size[0] * 0.8, metres, 1.5),
    )
    return space.fits(ahead, item.room)


def on_top(space: Space, support: Item, role: str, room: int, chooser: Chooser, finishes: Finishes) -> None:
    """Set something of a role in the middle of another item."""
    for item in some_item(role, room, chooser, finishes):
        scale = min(1.0, 0.95 * support.size[0] / item.size[0], 0.95 * support.size[1] / item.size[1])
        if scale < 0.7:
            continue
        item.size = (item.size[0] * scale, item.size[1] * scale, item.size[2] * scale)
        item.center, item.yaw = support.center.copy(), support.yaw
        if set_on(space, item, support):
            if item.model is None:
                item.parts = MAKERS[role][0](chooser.rng, finishes, item.size)
            return


def mirror_above(space: Space, basin: Item, room: int, rng: np.random.Generator, finishes: Finishes) -> None:
    """A mirror on the wall over a washbasin."""
    size = (float(rng.uniform(0.45, 0.7)), 0.03, float(rng.uniform(0.5, 0.9)))
    center = basin.center - basin.front * (basin.size[1] / 2 - 0.02)
    mirror = Item("mirror", "mirror", center, basin.yaw, max(1.1, basin.top + 0.12), size, room)
    if mirror.top < 2.2 and space.fits(mirror, room):
        mirror.parts = MAKERS["mirror"][0](rng, finishes, size)
        space.add(mirror)


def dining(space: Space, building: Building, room: int, chooser: Chooser, finishes: Finishes) -> None:
    """A table with free space around it, where the room has none and is large enough."""
    rng = chooser.rng
    if any(i.room == room and i.role == "dining table" for i in space.items):
        return
    low_x, low_y, high_x, high_y = building.polygons[room].bounds
    for item in some_item("dining table", room, chooser, finishes):
        for _ in range(20):
            item.center = rng.uniform([low_x, low_y], [high_x, high_y])
            item.yaw = float(rng.choice([0.0, np.pi / 2]))
            around = Item("", "wall", item.center, item.yaw, 0.05, (item.size[0] + 1.2, item.size[1] + 1.2, 1.0))
            if space.fits(around, room) and space.fits(item, room):
                if item.model is None:
                    item.parts = MAKERS["dining table"][0](rng, finishes, item.size)
                space.add(item)
                return


def seats(space: Space, room: int, chooser: Chooser) -> None:
    """Chairs at the tables and desks of a room that have none."""
    rng = chooser.rng
    chairs = ("chair", "office chair", "bar stool", "stool", "child chair")
    for table in [i for i in space.items if i.room == room and i.role in TABLES]:
        near = [i for i in space.items if i.role in chairs and i.footprint.distance(table.footprint) < 0.35]
        if len(near) >= (3 if table.role == "dining table" and table.size[0] > 0.9 else 1):
            continue
        role = "office chair" if table.role == "desk" and rng.random() < 0.6 else "chair"
        found = chooser.candidates(role, room, 0.5, 0.5)
        if not found:
            continue
        model = found[0]
        width, depth, height = model.size
        x, y = table.size[0] / 2, table.size[1] / 2
        spots = [(0.0, -y, 0.0)]
        if table.role == "dining table":
            per_side = max(1, int(table.size[0] / 0.65))
            places = [(k + 0.5) / per_side * 2 * x - x for k in range(per_side)]
            spots = [(p, s * y, np.pi * (s > 0)) for p in places for s in (-1, 1)]
            spots += [(s * x, 0.0, np.pi / 2 * s) for s in (-1, 1)] if table.size[1] > 0.75 else []
        for px, py, turn in spots:
            if table.role == "dining table" and rng.random() < 0.2:
                continue
            out = np.array([np.sin(turn), -np.cos(turn)])  # away from the table, in its frame
            tucked = rng.uniform(-0.1, 0.15)
            c, s = np.cos(table.yaw), np.sin(table.yaw)
            local = np.array([px, py]) + out * (depth / 2 + tucked)
            center = table.center + np.array([c * local[0] - s * local[1], s * local[0] + c * local[1]])
            yaw = table.yaw + turn + np.pi + rng.normal(0, 0.15)
            item = Item(role, "chair", center, yaw, 0.0, (width, depth, height), room, model)
            item.finishes = chooser.coat(model, role, room)
            if space.fits(item, room):
                space.add(item)


def living_group(space: Space, room: int, chooser: Chooser, finishes: Finishes) -> None:
    """A coffee table, sometimes on a rug, before a sofa that has none."""
    rng = chooser.rng
    for sofa in [i for i in space.items if i.room == room and i.nyu40 == "sofa"]:
        spot = sofa.center + sofa.front * (sofa.size[1] / 2 + 0.75)
        if not any(i.role == "coffee table" and np.hypot(*(i.center - spot)) < 1.2 for i in space.items):
            for item in some_item("coffee table", room, chooser, finishes):
                item.center, item.yaw = spot, sofa.yaw
                if rng.random() < 0.8 and space.place(item, room):
                    if item.model is None:
                        item.parts = MAKERS["coffee table"][0](rng, finishes, item.size)
                    break
        rugs = [i for i in space.items if i.nyu40 == "floor mat" and i.room == room]
        if not rugs and rng.random() < 0.5:
            size = (float(rng.uniform(1.6, 2.6)), float(rng.uniform(1.2, 1.8)), 0.012)
            rug = Item("rug", "floor mat", spot, sofa.yaw, 0.0, size, room)
            if space.rooms[room].covers(rug.footprint):
                rug.parts = MAKERS["rug"][0](rng, finishes, size)
                space.add(rug)
