"""The camera's way: clear of everything, smooth, turning slowly, never at arm's length of a wall."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from sem_field_ros.errors import DataError
from sem_field_synth.homes.trajectory import CLEARANCE, FreeSpace, Target, camera_positions, headings, poses

ROOM = box(0, 0, 5, 4)
WALLS = ROOM.buffer(0.2).difference(ROOM)


def space(table=None):
    shapes = [WALLS] + ([table] if table else [])
    return FreeSpace(ROOM, shapes, shapes)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_positions_keep_clear_and_neighbours_are_close(seed):
    rng = np.random.default_rng(seed)
    table = box(2, 1.5, 3.2, 2.5)
    positions = camera_positions(space(table), 30, 0.1, rng)
    assert positions.shape == (30, 2)
    solid = table.union(WALLS)
    from shapely.geometry import Point

    assert min(solid.distance(Point(p)) for p in positions) > CLEARANCE - 0.08  # a cell of the grid
    assert np.linalg.norm(np.diff(positions, axis=0), axis=1).max() < 0.13


def test_sight_ends_at_the_wall():
    lengths = space().sight_lengths(np.array([1.0, 2.0]), np.array([0.0, np.pi / 2, np.pi]))
    np.testing.assert_allclose(lengths, [4.0, 2.0, 1.0], atol=0.11)


@pytest.mark.parametrize("side", [1, -1])
def test_it_looks_at_what_is_worth_it(side):
    rng = np.random.default_rng(0)
    positions = np.tile([2.5, 2.0], (6, 1))
    target = Target(np.array([2.5 + 1.8 * side, 2.0]), 3.0)
    heading = headings(space(), positions, [target], 6.0, 0.6, rng)
    look = np.stack([np.cos(heading), np.sin(heading)], axis=1)
    assert (look[:, 0] * side).min() > 0.7


def test_neighbouring_frames_overlap():
    rng = np.random.default_rng(4)
    positions = camera_positions(space(), 40, 0.1, rng)
    targets = [Target(np.array(p), 1.0) for p in ([0.5, 0.5], [4.5, 3.5], [0.5, 3.5])]
    turns = np.degrees(np.abs(np.diff(headings(space(), positions, targets, 9.0, 0.6, rng))))
    assert turns.max() < 20 and 90 < turns.sum() < 720


def test_no_free_place_is_one_line():
    with pytest.raises(DataError, match="no room for a camera"):
        FreeSpace(Polygon([(0, 0), (0.4, 0), (0.4, 0.4), (0, 0.4)]), [], [])


@pytest.mark.parametrize("handheld", [True, False])
def test_poses_are_rigid_upright_and_look_along_the_heading(handheld):
    rng = np.random.default_rng(1)
    heading = np.linspace(0, 2, 12)
    T = poses(np.zeros((12, 2)), heading, handheld, rng, 1.5, 10.0)
    R = T[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (12, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)
    assert (R[:, 2, 1] < -0.9).all(), "the image's y axis points down"
    assert np.abs(T[:, 2, 3] - 1.5).max() < 0.08
    forward = R[:, :2, 2] / np.linalg.norm(R[:, :2, 2], axis=1, keepdims=True)
    np.testing.assert_allclose(forward, np.stack([np.cos(heading), np.sin(heading)], axis=1), atol=1e-9)
