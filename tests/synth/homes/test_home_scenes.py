"""build_scene and scene_plan: determinism, splits, nothing in each other, cameras clear of everything, attribution."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from sem_field_ros.errors import DataError
from sem_field_synth.catalogue.attribution import attributions
from sem_field_synth.catalogue.class_table import SPLITS, split_of
from sem_field_synth.homes.home_plan import scene_plan, split_of_home
from sem_field_synth.homes.home_scenes import build_scene
from sem_field_synth.homes.placing import SLACK, Item, Space


def same(a, b):
    """Whether two scenes are equal, number for number."""
    assert len(a.panels) == len(b.panels) and len(a.models) == len(b.models)
    for p, q in zip(a.panels, b.panels, strict=True):
        assert (p.finish, p.nyu40, p.instance) == (q.finish, q.nyu40, q.instance)
        np.testing.assert_array_equal(p.vertices, q.vertices)
    for m, n in zip(a.models, b.models, strict=True):
        assert (m.model, m.instance, m.finishes) == (n.model, n.instance, n.finishes)
        np.testing.assert_array_equal(m.T_world_model, n.T_world_model)
    np.testing.assert_array_equal(a.T_world_camera, b.T_world_camera)
    return True


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tiny_scenes_hold_together(tiny_assets, checked_scene, seed):
    scene = checked_scene(tiny_assets, "Tiny", seed % 2, seed, frames=12, size=(64, 48))
    assert scene.camera.width == 64 and scene.T_world_camera.shape == (12, 4, 4)
    assert len(scene.models) > 0 and (np.diff(scene.stamps_ns) > 0).all()
    classes = {p.nyu40 for p in scene.panels}
    assert {"door", "window"} <= classes


def test_the_same_arguments_make_the_same_scene(tiny_assets):
    first = build_scene(tiny_assets, "Tiny", 0, 5, frames=6)
    assert same(first, build_scene(tiny_assets, "Tiny", 0, 5, frames=6))
    other = build_scene(tiny_assets, "Tiny", 0, 6, frames=6)
    assert not np.array_equal(first.T_world_camera, other.T_world_camera)


@pytest.mark.parametrize("split", SPLITS)
def test_models_come_from_the_split_alone(tiny_assets, split):
    for seed in range(2):
        scene = build_scene(tiny_assets, "Tiny", 0, seed, frames=3, split=split)
        assert all(split_of(m.asset) == split for m in scene.models)


def test_plan_spreads_over_rooms_and_keeps_homes_apart(tiny_assets):
    plan = scene_plan(tiny_assets, 3, 5, "training")
    assert {s.home for s in plan} == {"Tiny"} and {s.room for s in plan} == {0, 1}
    assert len({s.seed for s in plan}) == 5
    assert scene_plan(tiny_assets, 3, 2, "training") == plan[:2], "a longer plan goes on where a shorter one ends"
    assert {s.home for s in scene_plan(tiny_assets, 3, 2, "test")} == {"Studio"}
    assert split_of_home("3BedroomApartment") == "test"
    assert split_of_home("1BedroomApartmentWithRoundWall") == "validation"


def test_unknown_homes_rooms_and_splits_are_one_line(tiny_assets):
    with pytest.raises(DataError, match="there are Studio, Tiny"):
        build_scene(tiny_assets, "Castle", 0, 0)
    with pytest.raises(DataError, match=r"usable rooms 0\.\.1"):
        build_scene(tiny_assets, "Tiny", 7, 0)
    with pytest.raises(DataError, match="is none of training, validation, test"):
        scene_plan(tiny_assets, 0, 1, "all")


def test_attribution_names_every_model_its_maker_and_licence(tiny_assets):
    scene = build_scene(tiny_assets, "Tiny", 0, 0, frames=3)
    text = attributions(tiny_assets, [scene])
    assert "Tiny" in text
    for model in scene.models:
        entry = tiny_assets.models[model.asset]
        assert f"{entry.id}; {entry.name}; {entry.creator}; Test licence" in text


def test_a_model_fills_its_item(tiny_assets):
    """The cube of the file reaches from (-1, 0, -1) to (1, 2, 1), its front towards +z."""
    item = Item(
        "chair", "chair", np.array([2.0, 3.0]), np.pi / 2, 0.5, (0.4, 0.6, 1.0), model=tiny_assets.models["eTeks#chair"]
    )
    T = item.T_world_model

    def world(*point):
        return (T @ [*point, 1])[:3]

    np.testing.assert_allclose(world(0, 0, 0), [2, 3, 0.5], atol=1e-12)
    np.testing.assert_allclose(world(0, 2, 0), [2, 3, 1.5], atol=1e-12)
    np.testing.assert_allclose(world(0, 0, 1), [2.3, 3, 0.5], atol=1e-12)  # front: -y turned by 90 degrees is +x
    np.testing.assert_allclose(item.front, [1, 0], atol=1e-12)
    assert np.linalg.det(T[:3, :3]) > 0
    item.mirrored = True
    assert np.linalg.det(item.T_world_model[:3, :3]) < 0


def test_space_keeps_things_apart_in_plan_and_height():
    room = shapely.box(0, 0, 4, 4)
    space = Space(room.buffer(0.2).difference(room), [room], [(shapely.box(0, 0, 1, 1), 2.0)])

    def thing(x, y, bottom=0.0, role="box", nyu40="box"):
        return Item(role, nyu40, np.array([x, y]), 0.0, bottom, (0.8, 0.8, 0.5))

    assert space.place(thing(2, 2), 0)
    assert not space.fits(thing(2.5, 2), 0)
    assert space.fits(thing(2.5, 2, bottom=0.6), 0), "above it"
    assert space.fits(thing(3.5, 3.5), 0) and not space.fits(thing(3.8, 3.5), 0), "walls"
    assert not space.fits(thing(0.5, 0.5), 0) and space.fits(thing(0.5, 0.5, bottom=2.1), 0), "before a door"
    moved = space.place(thing(2.7, 2), 0)
    assert moved is not None and moved.footprint.distance(space.items[0].footprint) >= 0
    assert not moved.footprint.buffer(-SLACK).intersects(space.items[0].footprint)
