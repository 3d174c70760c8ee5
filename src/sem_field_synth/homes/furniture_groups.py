"""Furniture that stands in groups: a table with its chairs, a sofa with its coffee table and rug."""

from __future__ import annotations

import numpy as np

from sem_field_synth.homes.along_walls import some_item
from sem_field_synth.homes.finishes import Finishes
from sem_field_synth.homes.home_building import Building
from sem_field_synth.homes.made.parametric import MAKERS
from sem_field_synth.homes.placing import Item, Space
from sem_field_synth.homes.refurnish import Chooser

TABLES = ("dining table", "desk")


def dining(space: Space, building: Building, room: int, chooser: Chooser, finishes: Finishes) -> None:
    """A table with free space around it, if the room has none and is large enough."""
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
