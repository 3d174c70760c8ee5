"""On the real packages (skipped where they are not installed): classes of every split, no test model in training."""

from __future__ import annotations

import pytest

from sem_field_synth.catalogue.class_table import SPLITS, role_of_model, roles, split_of
from sem_field_synth.homes.home_plan import scene_plan, split_of_home, usable_rooms
from sem_field_synth.homes.made.parametric import MAKERS

# what the ScanNet benchmark scores, by NYU-40 name; walls, floors, doors and windows come with the building
SCORED = (
    "cabinet", "bed", "chair", "sofa", "table", "bookshelf", "picture", "counter", "desk", "curtain", "refrigerator",
    "shower curtain", "toilet", "sink", "bathtub", "otherfurniture",
)  # fmt: skip
MADE_CLASSES = ("counter",)  # worktops are laid over cabinets in any split


def test_every_model_of_the_table_is_in_the_catalogue(real_assets):
    assert set(role_of_model()) <= set(real_assets.models)


@pytest.mark.parametrize("split", SPLITS)
def test_every_scored_class_can_occur_in_every_split(real_assets, split):
    found = {roles()[r].nyu40 for r in roles() if r in MAKERS or real_assets.of_role(r, split)} | set(MADE_CLASSES)
    assert set(SCORED) - {"otherfurniture"} <= found


def test_homes_of_the_splits_are_there(real_assets):
    split = {home: split_of_home(home) for home in real_assets.homes}
    assert len(split) == 9
    assert sorted(h for h, s in split.items() if s == "test") == ["3BedroomApartment", "Studio"]
    assert sum(len(usable_rooms(real_assets, home)) for home in split) > 40


@pytest.mark.parametrize("split", SPLITS)
def test_scenes_hold_together_and_keep_to_their_split(real_assets, checked_scene, split):
    for spec in scene_plan(real_assets, 4, 2, split):
        scene = checked_scene(real_assets, spec.home, spec.room, spec.seed, frames=20, split=spec.split)
        assert split_of_home(spec.home) == split
        assert scene.models and {split_of(m.asset) for m in scene.models} == {split}
