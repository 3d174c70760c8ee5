"""The path of keyframes: recorded by votes, bounded, saved with the map, absent in older files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.camera_path import CameraPath
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState, load_map, save_map
from sem_field_ros.mapping.semantic_map import SemanticMap
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

ARRAYS = {"keyframe_poses", "keyframe_ids", "keyframe_stamps_ns"}


def mapped(frames: int = 3) -> SemanticMap:
    semantic_map = SemanticMap(MapConfig(min_weight=1.0), LABELS)
    for i in range(frames):
        frame = wall_frame(0.2 * i, stamp_ns=7 + i)
        semantic_map.integrate(frame)
        semantic_map.vote(frame, wall_probabilities(frame))
    return semantic_map


def positions(path: CameraPath) -> list[list[float]]:
    return [T[:3, 3].tolist() for T in path.poses]


def test_every_vote_adds_its_pose_and_a_reset_forgets_them() -> None:
    semantic_map = mapped()
    assert positions(semantic_map.path) == [wall_frame(0.2 * i).T_world_camera[:3, 3].tolist() for i in range(3)]
    frame = wall_frame(1.0)
    semantic_map.vote(replace(frame, depth=None), wall_probabilities(frame))
    assert len(semantic_map.path) == 4  # also a keyframe without depth was taken from somewhere
    semantic_map.reset()
    assert len(semantic_map.path) == 0


def test_the_path_is_saved_and_goes_on_after_loading(tmp_path: Path) -> None:
    semantic_map = mapped()
    save_map(tmp_path, "wall", semantic_map.state())
    state = load_map(tmp_path, "wall")
    assert state.arrays["keyframe_ids"].tolist() == [1, 2, 3]
    assert state.arrays["keyframe_stamps_ns"].tolist() == [7, 8, 9]
    loaded = SemanticMap.from_state(state)
    assert positions(loaded.path) == positions(semantic_map.path)
    frame = wall_frame(0.8)
    loaded.vote(frame, wall_probabilities(frame))
    assert loaded.state().arrays["keyframe_ids"].tolist() == [1, 2, 3, 4]


def test_a_map_of_an_older_version_has_no_path_and_loads() -> None:
    state = mapped().state()
    assert set(state.arrays) >= ARRAYS
    older = MapState({name: array for name, array in state.arrays.items() if name not in ARRAYS}, state.header)
    loaded = SemanticMap.from_state(older)
    assert len(loaded.path) == 0 and loaded.keyframes == 3
    assert loaded.state().arrays["keyframe_poses"].shape == (0, 4, 4)


def test_a_map_without_keyframes_is_saved_too() -> None:
    empty = SemanticMap(MapConfig(), LABELS)
    assert len(SemanticMap.from_state(empty.state()).path) == 0


def test_the_path_is_bounded_and_keeps_both_ends() -> None:
    path = CameraPath(max_keyframes=100)
    for i in range(1000):
        path.add(i, wall_frame(0.01 * i, stamp_ns=i))
    assert 40 < len(path) <= 100
    ids = path.add_to(MapState({})).arrays["keyframe_ids"]
    assert ids[0] == 0 and ids[-1] > 980 and (np.diff(ids) > 0).all()


@pytest.mark.parametrize(
    "damage",
    [
        {"keyframe_ids": np.zeros(2, np.int32)},
        {"keyframe_poses": np.full((3, 4, 4), np.nan)},
        {"keyframe_poses": np.zeros((3, 4, 4))},
        {"keyframe_poses": np.tile(np.diag([1.0, 1, -1, 1]), (3, 1, 1))},
        {"keyframe_stamps_ns": np.zeros(3, np.float64)},
    ],
)
def test_arrays_that_do_not_fit_are_one_line(damage: dict[str, np.ndarray]) -> None:
    state = mapped().state()
    with pytest.raises(MapFileError, match="keyframe_") as error:
        SemanticMap.from_state(MapState({**state.arrays, **damage}, state.header))
    assert "\n" not in str(error.value)
