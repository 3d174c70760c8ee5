"""Submaps of walls known by hand: freezing, ids, queries, bounds, saving and loading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sem_field_ros.errors import MapFileError
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState, load_map, save_map
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.submaps import Submaps
from tests.mapping.scene import LABELS, WALL_Z, wall_frame, wall_probabilities

CONFIG = MapConfig(voxel_size_m=0.05, keyframe_distance_m=0.0)


class WallSegmenter:
    labels = LABELS

    def segment(self, frame):
        return wall_probabilities(frame)


def make(max_frozen: int = 4) -> Submaps:
    return Submaps(Mapper(CONFIG, WallSegmenter()), max_frozen)


def map_wall(submaps: Submaps, x: float, wall_z: float = WALL_Z) -> None:
    """Three looks at the wall from (x, 0, 0)."""
    for i in range(3):
        submaps.mapper.register_frame(wall_frame(x, stamp_ns=i, wall_z=wall_z))


def shown(submaps: Submaps, known: dict) -> dict:
    """Apply an update as a viewer would."""
    update = submaps.update_surface()
    for block in update.removed:
        del known[block]
    known.update(update.changed)
    return known


def on_wall(x: float) -> np.ndarray:
    return np.array([[x, 0.0, WALL_Z]])


def test_a_frozen_map_stays_in_the_surface_under_its_own_ids() -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    known = shown(submaps, {})
    first = set(known)
    submaps.begin_submap()
    map_wall(submaps, 10.0)
    known = shown(submaps, known)
    assert len(submaps) == 2
    assert first < set(known)
    x = np.concatenate([s.vertices[:, 0] for s in known.values()])
    assert (x < 2).any() and (x > 8).any()
    whole = submaps.surface()
    assert len(whole) == sum(len(s) for s in known.values())


def test_what_was_not_yet_published_when_it_froze_still_comes() -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    submaps.begin_submap()
    assert len(shown(submaps, {})) > 0
    assert submaps.update_surface().changed == {}


def test_queries_go_to_the_newest_map_that_knows() -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    submaps.begin_submap()
    map_wall(submaps, 10.0)
    answer = submaps.query(np.concatenate([on_wall(0.3), on_wall(10.3), on_wall(99.0)]))
    assert answer.labels.tolist() == [1, 1, -1]
    assert np.abs(answer.sdf[:2]).max() < 0.01 and np.isnan(answer.sdf[2])
    # the same place mapped again, 5 cm nearer: the newer map answers
    submaps.begin_submap()
    map_wall(submaps, 0.0, WALL_Z - 0.05)
    assert submaps.query(on_wall(0.3)).sdf[0] == pytest.approx(-0.05, abs=0.01)


def test_the_number_of_frozen_maps_is_bounded_and_the_oldest_vanishes() -> None:
    submaps = make(max_frozen=2)
    known: dict = {}
    for i in range(5):
        map_wall(submaps, 10.0 * i)
        known = shown(submaps, known)
        submaps.begin_submap()
    known = shown(submaps, known)
    assert len(submaps) == 3  # two frozen, one empty and active
    x = np.concatenate([s.vertices[:, 0] for s in known.values()])
    assert x.min() > 28 and x.max() < 42
    assert np.isnan(submaps.query(on_wall(0.0)).sdf[0])


def test_an_empty_map_is_not_frozen() -> None:
    submaps = make()
    submaps.begin_submap()
    submaps.begin_submap()
    assert len(submaps) == 1


def test_an_empty_map_answers_that_it_knows_nothing() -> None:
    answer = make().query(on_wall(0.0))
    assert np.isnan(answer.sdf[0]) and answer.labels[0] == -1
    assert answer.confidence[0] == 0 and not answer.probabilities.any()


def test_reset_takes_everything_away_and_ids_are_never_used_again() -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    submaps.begin_submap()
    map_wall(submaps, 10.0)
    known = shown(submaps, {})
    old = set(known)
    submaps.reset()
    map_wall(submaps, 0.0)
    known = shown(submaps, known)
    assert len(submaps) == 1
    assert known and not old & set(known)
    assert max(s.vertices[:, 0].max() for s in known.values()) < 2


def test_stats_count_all_maps() -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    one = submaps.stats()
    submaps.begin_submap()
    map_wall(submaps, 0.0)
    two = submaps.stats()
    assert two["blocks"] == 2 * one["blocks"] > 0
    assert (one["submaps"], two["submaps"]) == (1, 2)


def test_saved_with_its_submaps_and_loaded_again(tmp_path) -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    submaps.begin_submap()
    map_wall(submaps, 10.0)
    save_map(tmp_path, "two", submaps.state())
    other = make()
    map_wall(other, 50.0)
    known = shown(other, {})
    other.load(load_map(tmp_path, "two"), CONFIG)
    known = shown(other, known)
    x = np.concatenate([s.vertices[:, 0] for s in known.values()])
    assert len(other) == 2 and x.max() < 12
    assert other.query(np.concatenate([on_wall(0.3), on_wall(10.3)])).labels.tolist() == [1, 1]
    map_wall(other, 10.0)  # and mapping goes on


def test_a_loaded_map_keeps_no_more_frozen_maps_than_allowed() -> None:
    submaps = make()
    for x in (0.0, 10.0, 20.0):
        map_wall(submaps, x)
        submaps.begin_submap()
    for most in (0, 1, 9):
        other = make(max_frozen=most)
        other.load(submaps.state(), CONFIG)
        assert len(other) == 1 + min(most, 3)


def test_a_map_of_another_label_set_is_refused_and_nothing_changes() -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    state = submaps.state()
    labels = LabelSet("other", tuple(replace(c, name=c.name + "s") for c in LABELS.classes))

    class Other(WallSegmenter):
        pass

    Other.labels = labels
    target = Submaps(Mapper(CONFIG, Other()), 4)
    map_wall(target, 0.0)
    blocks = target.stats()["blocks"]
    with pytest.raises(MapFileError, match="label set 'two' but the segmenter has 'other'"):
        target.load(state, CONFIG)
    assert target.stats()["blocks"] == blocks


def test_a_damaged_submap_is_refused_and_nothing_changes() -> None:
    submaps = make()
    map_wall(submaps, 0.0)
    submaps.begin_submap()
    map_wall(submaps, 10.0)
    state = submaps.state()
    arrays = {name: a for name, a in state.arrays.items() if name != "submap0/tsdf"}
    with pytest.raises(MapFileError, match="no array 'tsdf'"):
        submaps.load(MapState(arrays, state.header), CONFIG)
    with pytest.raises(MapFileError, match="no list under 'submaps'"):
        submaps.load(MapState(state.arrays, {**state.header, "submaps": 3}), CONFIG)
    assert len(submaps) == 2


def test_label_classes_are_compared_by_id_and_name() -> None:
    assert LabelClass(1, "left", (0, 0, 0)) != LABELS.classes[0]  # colours may differ between releases
    submaps = make()
    map_wall(submaps, 0.0)
    state = submaps.state()
    recoloured = LabelSet("two", tuple(replace(c, color=(1, 2, 3)) for c in LABELS.classes))

    class Recoloured(WallSegmenter):
        pass

    Recoloured.labels = recoloured
    target = Submaps(Mapper(CONFIG, Recoloured()), 4)
    target.load(state, CONFIG)
    assert target.stats()["blocks"] > 0
