"""Which scenes to make: the homes of a split, their rooms worth filming, and a plan that spreads over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_synth.catalogue.catalogue import Assets
from sem_field_synth.catalogue.class_table import SPLITS
from sem_field_synth.homes.home_building import Building, is_indoors
from sem_field_synth.homes.home_xml import Level, read_home
from sem_field_synth.homes.original_roles import room_kind

TEST_HOMES = ("3BedroomApartment", "Studio")
VALIDATION_HOMES = ("1BedroomApartmentWithRoundWall",)
MIN_AREA, MAX_AREA = 4.0, 60.0  # square metres of the rooms that are seen


@dataclass(frozen=True)
class SceneSpec:
    """One scene to generate: the home, the room's index over the home's usable rooms, and the seed."""

    home: str
    room: int
    seed: int
    split: str

    @property
    def name(self) -> str:
        """A unique folder name."""
        return f"{self.split}_{self.home}_room{self.room}_{self.seed}"


def split_of_home(home: str) -> str:
    """training, validation or test."""
    return "test" if home in TEST_HOMES else "validation" if home in VALIDATION_HOMES else "training"


def usable_rooms(assets: Assets, home: str) -> list[tuple[Level, int]]:
    """Rooms of a home worth filming: (level, index of the room in its Building), of a decent size and indoors."""
    if home not in assets.homes:
        raise DataError(f"no home '{home}': there are {', '.join(sorted(assets.homes))}")
    found = []
    for level in read_home(assets.homes[home]):
        if "roof" in level.name.lower() or "attic" in level.name.lower() or not level.walls:
            continue
        building = Building(level)
        for i, (room, polygon) in enumerate(zip(building.rooms, building.polygons, strict=True)):
            good = room.floor and is_indoors(room) and room.ceiling and "garage" not in room.name.lower()
            if good and MIN_AREA <= polygon.area <= MAX_AREA:
                found.append((level, i))
    return found


def scene_plan(assets: Assets, seed: int, count: int, split: str = "training") -> list[SceneSpec]:
    """Which scenes to make: `count` of them spread over all rooms of the split's homes; the same for the same seed.

    The plan for a larger count begins with the plan for a smaller one.
    """
    if split not in SPLITS:
        raise DataError(f"split '{split}' is none of {', '.join(SPLITS)}")
    rooms = []
    for home in sorted(assets.homes):
        if split_of_home(home) != split:
            continue
        for i, (level, index) in enumerate(usable_rooms(assets, home)):
            kind = room_kind(Building(level).rooms[index].name, [])
            often = split == "training" and kind in ("living", "kitchen", "bath", "office")
            rooms += [(home, i)] * (2 if often else 1)
    plan: list[SceneSpec] = []
    turn = 0
    while len(plan) < count:
        rng = np.random.default_rng([seed, SPLITS.index(split), turn])
        for k in rng.permutation(len(rooms)):
            number = seed * 1_000_003 + len(plan)
            plan.append(SceneSpec(rooms[k][0], rooms[k][1], number, split))
        turn += 1
    return plan[:count]
