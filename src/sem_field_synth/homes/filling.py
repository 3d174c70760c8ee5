"""Furnishes empty parts of a home, by the kind of room: along the walls, around tables, on the floor."""

from __future__ import annotations

from sem_field_synth.homes.along_walls import along_wall
from sem_field_synth.homes.finishes import Finishes
from sem_field_synth.homes.furniture_groups import dining, living_group, seats
from sem_field_synth.homes.home_building import Building
from sem_field_synth.homes.placing import Space
from sem_field_synth.homes.refurnish import Chooser

FULL = {
    "bath": 0.52,
    "kitchen": 0.5,
    "bedroom": 0.5,
    "living": 0.48,
}  # of a room's floor that furniture may cover; 0.42 elsewhere
# (role, how likely, how many at most) in the order they are tried; existing items count
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


def fill(
    space: Space, building: Building, room: int, kind: str, chooser: Chooser, finishes: Finishes, modest: bool
) -> None:
    """Add what is missing for the kind of room. `modest`: only large things, for a room seen through a door."""
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
