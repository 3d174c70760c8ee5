"""Places furniture with its back to a wall, and what belongs on or above it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from sem_field_synth.catalogue.class_table import roles
from sem_field_synth.homes.finishes import Finishes
from sem_field_synth.homes.home_building import Building
from sem_field_synth.homes.made.parametric import MAKERS
from sem_field_synth.homes.placing import Item, Space
from sem_field_synth.homes.refurnish import BETWEEN, Chooser, set_on

IN_FRONT = {"sofa": 0.6, "desk": 0.7, "bookshelf": 0.3, "refrigerator": 0.5, "toilet": 0.4, "wardrobe": 0.4, "bed": 0.2}
ON_WALL = {"mirror": 1.0, "towel rack": 1.0, "upper cabinet": 1.45}  # metres of their lower side


def some_item(role: str, room: int, chooser: Chooser, finishes: Finishes) -> Iterator[Item]:
    """Candidates for a role, in about real size: catalogue models, then a parametric one."""
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
    """Place an item with its back to a wall, its front free, covering no window."""
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
    """Move an item to a random place along the room's walls, often into a corner; False if there is no wall."""
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
    """Place an item of a role in the middle of another item."""
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
