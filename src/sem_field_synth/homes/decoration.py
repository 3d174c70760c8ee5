"""What the example homes lack: counters, curtains, pictures, shower curtains, props on tables, more furniture."""

from __future__ import annotations

import numpy as np
import shapely

from sem_field_synth.homes.filling import fill
from sem_field_synth.homes.finishes import Finishes, hsv
from sem_field_synth.homes.home_building import Building, Opening
from sem_field_synth.homes.made.panels import Surface
from sem_field_synth.homes.made.parametric import MAKERS
from sem_field_synth.homes.made.shapes import Part
from sem_field_synth.homes.made.textiles import curtain, picture
from sem_field_synth.homes.placing import Item, Space
from sem_field_synth.homes.refurnish import Chooser, as_item, set_on
from sem_field_synth.scene import Finish

ON_TOP = {  # roles of small things by the class of their support
    "table": ("dining prop", "small plant", "living prop", "dining prop", "computer"),
    "desk": ("computer", "table lamp", "desk prop", "book", "small plant", "desk prop"),
    "night stand": ("table lamp", "book", "living prop"),
    "dresser": ("table lamp", "living prop", "small plant", "tv"),
    "counter": ("kitchen prop", "kitchen prop", "kitchen prop", "small plant"),
    "cabinet": ("living prop", "small plant", "table lamp"),
}
IN_BATHS = ("bath prop", "bath prop", "small plant")


def decorate(
    space: Space, building: Building, kinds: list[str], room: int, chooser: Chooser, finishes: Finishes
) -> None:
    """Add small items to every visible room, most of them to the filmed one."""
    rng = chooser.rng
    rooms = sorted({i.room for i in space.items if i.room is not None} | {room})
    for index in rooms:
        fill(space, building, index, kinds[index], chooser, finishes, modest=index != room)
    counters(space, rng, finishes)
    for index in rooms:
        kind = kinds[index]
        for opening in building.openings:
            if (
                opening.kind == "window"
                and opening.outside
                and rng.random() < {"living": 0.75, "bedroom": 0.85, "office": 0.6}.get(kind, 0.3)
            ):
                curtains(space, building, opening, index, rng, finishes)
        if kind == "bath":
            shower_curtains(space, index, rng, finishes)
        pictures(space, building, index, rng, finishes, int(rng.integers(0, 5 if kind != "bath" else 2)))
    for item in list(space.items):
        props(space, item, kinds[item.room] if item.room is not None else "", chooser)


def counters(space: Space, rng: np.random.Generator, finishes: Finishes) -> None:
    """A worktop over every lower cabinet of the kitchen."""
    finish = Finish(texture=finishes.wood(), shininess=0.3)
    if rng.random() < 0.6:
        finish = Finish(hsv(rng.uniform(0, 1), rng.uniform(0, 0.15), rng.uniform(0.15, 0.9)), shininess=0.5)
    for item in list(space.items):
        if item.role != "lower cabinet" or item.bottom > 0.2 or not 0.6 < item.top < 1.05:
            continue
        size = (item.size[0] + 0.004, item.size[1] + 0.02, 0.035)
        top = Item("counter", "counter", item.center + 0.01 * item.front, item.yaw, item.top, size, item.room)
        surface = Surface()
        surface.box(np.array([-size[0] / 2, -size[1] / 2, 0.0]), np.array([size[0] / 2, size[1] / 2, size[2]]))
        top.parts = [Part(surface, finish, "counter")]
        if not any(
            o.bottom < top.top
            and o.top > top.top
            and o is not item
            and o.footprint.intersects(top.footprint.buffer(-0.03))
            for o in space.items
        ):
            space.add(top)


def curtains(
    space: Space, building: Building, opening: Opening, room: int, rng: np.random.Generator, finishes: Finishes
) -> None:
    """A curtain at either side of a window, on the side of a room."""
    across = np.array([-np.sin(opening.yaw), np.cos(opening.yaw)])
    along = np.array([np.cos(opening.yaw), np.sin(opening.yaw)])
    for side in (-1, 1):
        inner = opening.center + side * across * (opening.thickness / 2 + 0.2)
        if building.room_at(inner) != room:
            continue
        if not shapely.Point(inner).distance(building.polygons[room].boundary) < 0.4:
            continue
        yaw = opening.yaw if side == -1 else opening.yaw + np.pi
        bottom = 0.02 if rng.random() < 0.7 else max(opening.bottom - 0.15, 0.02)
        height = min(opening.top + 0.12, building.height - 0.06) - bottom
        width = float(rng.uniform(0.22, 0.5)) * opening.width
        width = float(np.clip(width, 0.25, 0.9))
        state = rng.bit_generator.state
        for k in (-1, 1):
            center = opening.center + side * across * (opening.thickness / 2 + 0.09)
            center = center + along * k * (opening.width / 2 + 0.08 - width / 2 + 0.05)
            item = Item("curtain", "curtain", center, yaw, bottom, (width, 0.11, height), room)
            rng.bit_generator.state = state  # both of the same cloth
            item.parts = curtain(rng, finishes, item.size)
            if space.fits(item, room):
                space.add(item)


def shower_curtains(space: Space, room: int, rng: np.random.Generator, finishes: Finishes) -> None:
    """A curtain over the front rim of a bathtub, or before a shower tray."""
    for item in list(space.items):
        if item.room != room or item.role not in ("bathtub", "shower") or rng.random() < 0.2:
            continue
        if item.model is not None and "Stall" in item.model.id:  # has doors of its own
            continue
        width = item.size[0] * float(rng.uniform(0.4, 0.95))
        along = np.array([np.cos(item.yaw), np.sin(item.yaw)]) * (item.size[0] - width) / 2 * rng.choice([-1, 1])
        center = item.center + item.front * (item.size[1] / 2 - 0.04) + along
        bottom = float(rng.uniform(0.1, 0.35))
        size = (width, 0.09, float(rng.uniform(1.95, 2.1)) - bottom)
        cloth = Item("shower curtain", "shower curtain", center, item.yaw, bottom, size, room)
        cloth.instance_of = item.role
        if space.fits(cloth, room, item):
            cloth.parts = MAKERS["shower curtain"][0](rng, finishes, cloth.size)
            space.add(cloth)


def pictures(
    space: Space, building: Building, room: int, rng: np.random.Generator, finishes: Finishes, count: int
) -> None:
    """Pictures on free stretches of a room's walls."""
    ring = np.array(shapely.get_coordinates(building.polygons[room].exterior))
    if building.polygons[room].exterior.is_ccw is False:
        ring = ring[::-1]
    lengths = np.linalg.norm(np.diff(ring, axis=0), axis=1)
    hung = 0
    for _ in range(12 * count):
        if hung >= count:
            return
        k = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
        if lengths[k] < 0.7:
            continue
        along = (ring[k + 1] - ring[k]) / lengths[k]
        inward = np.array([-along[1], along[0]])
        width = float(rng.uniform(0.3, min(1.0, lengths[k] - 0.2)))
        size = (width, 0.03, float(width * rng.choice([0.7, 0.75, 1.0, 1.35])))
        spot = ring[k] + along * rng.uniform(width / 2 + 0.05, lengths[k] - width / 2 - 0.05)
        center = spot + inward * 0.017
        behind = spot - inward * 0.06
        if not shapely.contains_xy(building.walls, *behind):
            continue
        yaw = float(np.arctan2(inward[0], -inward[1]))
        bottom = float(rng.uniform(1.45, 1.7)) - size[2] / 2
        item = Item("picture", "picture", center, yaw, bottom, size, room)
        cut = any(
            o.top > bottom
            and o.bottom < item.top
            and item.footprint.buffer(0.1).distance(shapely.Point(o.center)) < o.width / 2 + width / 2
            for o in building.openings
        )
        if not cut and space.fits(item, room):
            item.parts = picture(rng, finishes, size)
            space.add(item)
            hung += 1


def props(space: Space, item: Item, kind: str, chooser: Chooser) -> None:
    """Small things on an item's top, by the kind of room."""
    rng = chooser.rng
    wanted = ON_TOP.get(item.nyu40)
    if kind == "bath" and wanted is not None:
        wanted = IN_BATHS
    if wanted is None or not 0.3 < item.top < 1.3 or item.role in ("lower cabinet", "upper cabinet", "wardrobe"):
        return
    area = item.size[0] * item.size[1]
    for _ in range(int(rng.poisson(min(1.5 + 2.0 * area, 4)))):
        role = str(rng.choice(wanted))
        found = chooser.candidates(role, None, 0.3, 0.3)
        if not found:
            continue
        model = found[0]
        if model.size[0] > item.size[0] or model.size[1] > item.size[1]:
            continue
        x, y = rng.uniform(-0.4, 0.4, 2) * item.size[:2]
        c, s = np.cos(item.yaw), np.sin(item.yaw)
        center = item.center + np.array([c * x - s * y, s * x + c * y])
        prop = as_item(role, model, center, item.yaw + rng.normal(0, 0.35), item.room, float(rng.uniform(0.9, 1.1)))
        set_on(space, prop, item)
