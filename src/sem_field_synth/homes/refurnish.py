"""Replaces every piece of a home by another of the same kind and about the same size, from the right split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from shapely.geometry import Point

from sem_field_synth.catalogue.catalogue import Assets, CatalogueModel
from sem_field_synth.catalogue.class_table import roles
from sem_field_synth.homes.finishes import Finishes
from sem_field_synth.homes.home_xml import Piece
from sem_field_synth.homes.made.parametric import MAKERS
from sem_field_synth.homes.placing import Item, Space
from sem_field_synth.homes.repainting import repaint
from sem_field_synth.scene import Finish

MODULAR = (
    "lower cabinet",
    "upper cabinet",
    "high cabinet",
    "kitchen sink",
    "stove",
    "washer",
)  # fill their place exactly
HUNG = ("upper cabinet", "pendant lamp", "wall lamp", "mirror", "radiator", "wall tv", "hood")
PER_ROOM = ("chair", "bar stool", "lower cabinet", "upper cabinet", "night stand", "radiator", "office chair", "stool")
BETWEEN = (0.85, 1.15)  # limits of a model's scale
MADE_SHARE = {  # how often a parametric item is used although the catalogue has models, because those are few or alike
    "toilet": 0.35,
    "refrigerator": 0.3,
    "washbasin": 0.3,
    "kitchen sink": 0.3,
    "bookshelf": 0.25,
    "wardrobe": 0.3,
    "night stand": 0.3,
    "dresser": 0.15,
    "desk": 0.12,
    "coffee table": 0.15,
    "dining table": 0.12,
    "stove": 0.15,
}
INSTEAD = {  # other roles of the same class, used if a split has no model that fits
    "single bed": ("bed",),
    "corner sofa": ("sofa",),
    "tv stand": ("dresser",),
    "bar stool": ("stool", "chair"),
    "office chair": ("chair",),
    "bunk bed": ("single bed",),
    "wall lamp": (),
}


class Chooser:
    """Picks models by role for one split; things that come in sets get the same model within a room."""

    def __init__(self, assets: Assets, split: str, rng: np.random.Generator) -> None:
        self.assets = assets
        self.split = split
        self.rng = rng
        self._chosen: dict[tuple[int | None, str], list[CatalogueModel]] = {}
        self._coats: dict[tuple[int | None, str], dict[str, Finish]] = {}

    def coat(self, model: CatalogueModel, role: str, room: int | None) -> dict[str, Finish]:
        """New colours for a model, the same within a room."""
        key = (room, model.id)
        if key not in self._coats:
            self._coats[key] = repaint(model, role, self.rng)
        return self._coats[key]

    def candidates(self, role: str, room: int | None, width: float, depth: float) -> list[CatalogueModel]:
        """Models of a role, best first: those that fit the place, textured ones preferred, the rest by chance."""
        key = (room, role)
        if role in PER_ROOM and key in self._chosen:
            return self._chosen[key]
        names = [role, *INSTEAD.get(role, ())]
        found = next((models for n in names if (models := self.assets.of_role(n, self.split))), [])
        scored = []
        for model in found:
            fit = max(model.size[0] / width, width / model.size[0], model.size[1] / depth, depth / model.size[1])
            chance = self.rng.gumbel() * 0.35 + (0.25 if model.textured else 0.0)
            scored.append((chance - 1.2 * np.log(max(fit / 1.15, 1.0)), model))
        ordered = [model for _, model in sorted(scored, key=lambda pair: -pair[0])]
        if role in PER_ROOM and ordered:
            self._chosen[key] = ordered[:2]
        return ordered


def refurnish(
    pieces: Sequence[tuple[Piece, str, int | None]],
    space: Space,
    chooser: Chooser,
    finishes: Finishes,
    ceiling: float,
) -> None:
    """Fill `space` with new items for (piece, role, room): large ones first, then what stands on them."""
    rng = chooser.rng
    standing = [p for p in pieces if p[0].elevation < 0.12 or p[1] in HUNG]
    resting = [p for p in pieces if not (p[0].elevation < 0.12 or p[1] in HUNG)]
    for piece, role, room in sorted(standing, key=lambda p: -p[0].size[0] * p[0].size[1]):
        own = rng.random() < MADE_SHARE.get(role, 0.0)
        if own and made(role, piece, room, space, rng, finishes):
            continue
        item = new_item(role, piece, room, space, chooser, finishes, ceiling)
        if item is None and role in MAKERS:
            made(role, piece, room, space, rng, finishes)
    for piece, role, room in resting:
        support = support_at(space, piece.center, piece.elevation)
        if support is None:
            continue
        for model in chooser.candidates(role, room, piece.size[0], piece.size[1])[:4]:
            item = as_item(role, model, piece.center, piece.yaw, room, float(rng.uniform(*BETWEEN)))
            if set_on(space, item, support):
                break
        else:
            if role in ("tv",):
                size = MAKERS[role][1]
                item = Item(role, roles()[role].nyu40, piece.center, piece.yaw, support.top, size, room)
                if set_on(space, item, support):
                    item.parts = MAKERS[role][0](rng, finishes, item.size)


def as_item(
    role: str, model: CatalogueModel, center: np.ndarray, yaw: float, room: int | None, scale: float = 1.0
) -> Item:
    """An item of a catalogue model standing on the floor, in its real size times `scale`."""
    width, depth, height = (s * scale for s in model.size)
    return Item(role, roles()[role].nyu40, np.array(center), yaw, 0.0, (width, depth, height), room, model)


def new_item(
    role: str,
    piece: Piece,
    room: int | None,
    space: Space,
    chooser: Chooser,
    finishes: Finishes,
    ceiling: float,
) -> Item | None:
    """Place another model of `role` where `piece` was; its back stays where the piece's was."""
    rng = chooser.rng
    width, depth, height = piece.size
    if role in ("rug", "mirror"):
        return None
    for model in chooser.candidates(role, room, width, depth)[:6]:
        w, d, h = model.size
        if role in MODULAR and 0.7 < width / w < 1.35 and 0.7 < depth / d < 1.35:
            size = (width, depth, h * float(np.clip(height / h, *BETWEEN)))
        else:
            ratio = min(width / w, depth / d)
            scale = float(np.clip(ratio if ratio < 1 else rng.uniform(1, max(1.0, min(ratio, 1.15))), *BETWEEN))
            size = (w * scale, d * scale, h * scale)
        back = np.array([-np.sin(piece.yaw), np.cos(piece.yaw)])
        against_wall = role not in ("chair", "dining table", "coffee table", "pendant lamp", "stool", "bar stool")
        center = piece.center + back * ((depth - size[1]) / 2 if against_wall else 0)
        bottom = model.elevation if model.elevation < 1.2 else 0.0  # a washbasin hangs on the wall
        if role == "pendant lamp":
            bottom = ceiling - size[2]
        elif role in HUNG:
            bottom = max(piece.elevation, model.elevation if role != "upper cabinet" else piece.elevation)
            bottom = min(bottom, ceiling - size[2] - 0.02)
        if bottom < 0 or bottom + size[2] > ceiling:
            continue
        item = Item(role, roles()[role].nyu40, center, piece.yaw, bottom, size, room, model)
        item.mirrored = bool(rng.random() < 0.3)
        item.finishes = chooser.coat(model, role, room)
        if space.place(item, room, (0.0, 0.05, 0.12, 0.25) if role not in MODULAR else (0.0, 0.03)):
            return item
    return None


def made(
    role: str, piece: Piece, room: int | None, space: Space, rng: np.random.Generator, finishes: Finishes
) -> Item | None:
    """Place a parametric item where `piece` was."""
    maker, usual = MAKERS[role]
    width, depth, height = piece.size
    if role == "rug":
        size = (width, depth, 0.012)
    elif role == "mirror":
        size = (min(width, 1.2), 0.03, min(height, 1.4))
    elif role in MODULAR:
        size = (width, depth, height)
    else:
        size = (
            min(width, usual[0] * 1.15),
            min(depth, usual[1] * 1.15),
            float(np.clip(height, usual[2] * 0.85, usual[2] * 1.15)),
        )
    back = np.array([-np.sin(piece.yaw), np.cos(piece.yaw)])
    center = piece.center + (back * (depth - size[1]) / 2 if role != "rug" else 0)
    bottom = piece.elevation if role in HUNG or role == "mirror" else 0.0
    item = Item(role, roles()[role].nyu40, center, piece.yaw, bottom, size, room)
    if role == "rug":
        item.parts = maker(rng, finishes, size)
        return space.add(item) if rug_fits(item, space, room) else None
    if space.place(item, room) is None:
        return None
    item.parts = maker(rng, finishes, size)
    return item


def rug_fits(item: Item, space: Space, room: int | None) -> bool:
    """A rug may lie under furniture but not through walls, nor on another rug."""
    if room is None or not space.rooms[room].covers(item.footprint):
        return False
    return not any(other.nyu40 == "floor mat" and other.footprint.intersects(item.footprint) for other in space.items)


def support_at(space: Space, center: np.ndarray, elevation: float) -> Item | None:
    """The item under a point [2] whose top is nearest to a height; None if there is none."""
    flat = ("table", "desk", "cabinet", "dresser", "night stand", "counter", "shelves")
    found = [i for i in space.items if i.nyu40 in flat and i.footprint.contains(Point(center)) and i.top < 1.4]
    found = [i for i in found if abs(surface_height(i) - elevation) < 0.4]
    return min(found, key=lambda i: abs(surface_height(i) - elevation), default=None)


def surface_height(item: Item) -> float:
    """The height in metres at which things stand on an item: from the catalogue if it is not the top."""
    if item.model is not None and item.model.drop_on_top is not None and item.model.drop_on_top > 0:
        return item.bottom + item.model.drop_on_top * item.size[2] / item.model.size[2]
    return item.top


def set_on(space: Space, item: Item, support: Item) -> bool:
    """Place an item on another, wholly within its top and clear of what already stands there."""
    item.bottom = surface_height(support) + 0.001
    item.room = support.room
    home = item.center
    area = support.footprint.buffer(-0.01)
    for shift in (0.0, 0.08, 0.16, 0.3):
        for turn in range(1 if shift == 0 else 8):
            item.center = home + shift * np.array([np.cos(turn * np.pi / 4), np.sin(turn * np.pi / 4)])
            if area.covers(item.footprint) and space.fits(item, None, support):
                item.instance_of = support.role
                space.add(item)
                return True
    item.center = home
    return False
