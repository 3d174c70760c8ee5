"""The transform tree gives tf2's answers: values known by hand, and interpolation held against scipy-free slerp."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.geometry.poses import inverse, pose_from_quaternion
from sem_field_ros.geometry.transform_tree import LATEST, TransformError, TransformTree

S = 1_000_000_000
IDENTITY = (0.0, 0.0, 0.0, 1.0)


def yaw(degrees: float) -> tuple[float, float, float, float]:
    half = math.radians(degrees) / 2
    return (0.0, 0.0, math.sin(half), math.cos(half))


def put(tree, parent, child, stamp_s, x=0.0, degrees=0.0, static=False):
    return tree.set_transform(
        parent, child, round(stamp_s * S), np.array([x, 0.0, 0.0]), np.array(yaw(degrees)), static
    )


@pytest.fixture
def robot():
    """map -> odom (moves 1 m/s), odom -> base (turns 90 degrees a second), base -> camera (static, 0.5 m ahead)."""
    tree = TransformTree()
    for t in (10.0, 11.0, 12.0):
        put(tree, "map", "odom", t, x=t - 10)
        put(tree, "odom", "base", t, degrees=90 * (t - 10))
    put(tree, "base", "camera", 0, x=0.5, static=True)
    return tree


def cause_of(tree, *question):
    with pytest.raises(TransformError) as error:
        tree.lookup(*question)
    assert str(error.value).count("\n") == 0
    return error.value.cause


def test_interpolates_each_link_at_the_stamp(robot):
    T = robot.lookup("map", "camera", round(10.5 * S))
    c = math.sqrt(0.5)
    np.testing.assert_allclose(T[:3, 3], [0.5 + 0.5 * c, 0.5 * c, 0], atol=1e-12)
    np.testing.assert_allclose(T[:3, :3], [[c, -c, 0], [c, c, 0], [0, 0, 1]], atol=1e-12)


def test_both_directions_and_siblings(robot):
    put(robot, "base", "lidar", 0, x=-0.5, static=True)
    stamp = round(11.25 * S)
    np.testing.assert_allclose(
        robot.lookup("camera", "map", stamp), inverse(robot.lookup("map", "camera", stamp)), atol=1e-12
    )
    np.testing.assert_allclose(robot.lookup("lidar", "camera", stamp)[:3, 3], [1, 0, 0], atol=1e-12)


def test_siblings_need_no_transform_above_them(robot):
    """tf2 stops at the common ancestor: a stamp that odom -> base does not cover does not matter below base."""
    put(robot, "base", "lidar", 0, x=-0.5, static=True)
    np.testing.assert_allclose(robot.lookup("lidar", "camera", 99 * S)[:3, 3], [1, 0, 0], atol=1e-12)


def test_outside_the_stamps_nothing_is_guessed(robot):
    with pytest.raises(TransformError) as late:
        robot.lookup("map", "camera", round(12.001 * S))
    assert late.value.cause == "tf_extrapolation" and late.value.retry
    assert "1.0 ms after the newest" in str(late.value)
    with pytest.raises(TransformError) as early:
        robot.lookup("map", "camera", round(9.999 * S))
    assert early.value.cause == "tf_extrapolation" and not early.value.retry
    robot.lookup("map", "camera", 12 * S)
    robot.lookup("map", "camera", 10 * S)


def test_missing_and_disconnected_frames(robot):
    put(robot, "other_root", "other", 10)
    assert cause_of(robot, "map", "nowhere", 10 * S) == "tf_missing"
    assert cause_of(robot, "map", "other", 10 * S) == "tf_disconnected"
    assert cause_of(robot, "map", "other", LATEST) == "tf_disconnected"
    put(robot, "map", "other_root", 0, static=True)
    robot.lookup("map", "other", 10 * S)


def test_latest_is_the_newest_stamp_that_all_links_have(robot):
    put(robot, "map", "odom", 13.0, x=3)  # odom -> base still ends at 12
    np.testing.assert_allclose(robot.lookup("map", "base", LATEST)[:3, 3], [2, 0, 0])
    np.testing.assert_allclose(robot.lookup("map", "odom", LATEST)[:3, 3], [3, 0, 0])


def test_a_frame_may_change_its_parent():
    tree = TransformTree()
    put(tree, "table", "cup", 1, x=1)
    put(tree, "gripper", "cup", 2, x=2)
    put(tree, "world", "table", 0, x=10, static=True)
    put(tree, "world", "gripper", 0, x=20, static=True)
    assert tree.lookup("world", "cup", 1 * S)[0, 3] == 11
    assert tree.lookup("world", "cup", round(1.5 * S))[0, 3] == 11  # between different parents: the older one, as tf2
    assert tree.lookup("world", "cup", 2 * S)[0, 3] == 22
    assert tree.lookup("world", "cup", LATEST)[0, 3] == 22


@pytest.mark.parametrize(
    ("translation", "xyzw"),
    [
        ((0, 0, 0), (0, 0, 0, 0)),
        ((0, 0, 0), (math.nan, 0, 0, 1)),
        ((math.nan, 0, 0), IDENTITY),
        ((0, 0, -2e9), IDENTITY),
        ((math.inf, 0, 0), IDENTITY),
        ((0, 0, 0), (0, 0, 0, 1.01)),
    ],
)
def test_bad_transforms_are_refused_and_counted(robot, translation, xyzw):
    assert not robot.set_transform("odom", "base", 13 * S, np.array(translation, float), np.array(xyzw, float))
    assert robot.refused == {"bad_pose": 1}
    assert cause_of(robot, "odom", "base", 13 * S) == "tf_extrapolation"


def test_bad_frame_ids_are_refused(robot):
    assert not put(robot, "", "base", 13)
    assert not put(robot, "odom", "", 13)
    assert not put(robot, "/odom", "odom", 13)
    assert robot.refused == {"bad_frame_id": 3}
    assert put(robot, "/odom", "/base", 13)
    robot.lookup("/odom", "base", 13 * S)


def test_a_loop_does_not_hang():
    tree = TransformTree()
    put(tree, "a", "b", 1)
    put(tree, "b", "a", 1)
    put(tree, "root", "c", 1)
    assert cause_of(tree, "c", "a", 1 * S) == "tf_disconnected"
    assert cause_of(tree, "c", "a", LATEST) == "tf_disconnected"


def test_cache_is_bounded_in_time_and_old_data_is_counted():
    tree = TransformTree(cache_s=10)
    for i in range(3000):
        put(tree, "odom", "base", 1 + i * 0.01, x=i)
    assert cause_of(tree, "odom", "base", round(20.9 * S)) == "tf_extrapolation"
    tree.lookup("odom", "base", round(21.1 * S))
    assert not put(tree, "odom", "base", 5.0)
    assert tree.refused == {"old_transform": 1}


def test_clear_forgets_what_moves_and_keeps_statics(robot):
    robot.clear()
    assert cause_of(robot, "map", "camera", 11 * S) == "tf_extrapolation"
    assert cause_of(robot, "map", "camera", LATEST) == "tf_disconnected"
    assert robot.lookup("base", "camera", 11 * S)[0, 3] == 0.5
    assert put(robot, "map", "odom", 1.0, x=7)  # older than what was forgotten: the clock jumped back
    put(robot, "odom", "base", 1.0)
    assert robot.lookup("map", "camera", 1 * S)[0, 3] == 7.5


def test_unordered_and_repeated_stamps():
    tree = TransformTree()
    for t, x in ((3, 3), (1, 1), (2, 99), (2, 2)):
        put(tree, "odom", "base", t, x=x)
    assert tree.lookup("odom", "base", 2 * S)[0, 3] == 2
    assert tree.lookup("odom", "base", round(1.5 * S))[0, 3] == pytest.approx(1.5)
    assert tree.lookup("odom", "base", round(2.5 * S))[0, 3] == pytest.approx(2.5)


unit = st.floats(-1, 1, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.tuples(unit, unit, unit, unit), st.tuples(unit, unit, unit, unit), st.integers(0, 100))
def test_rotation_between_stamps_is_slerp(qa, qb, percent):
    a, b = np.array(qa), np.array(qb)
    if np.linalg.norm(a) < 0.1 or np.linalg.norm(b) < 0.1:
        return
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    cosine = a @ b
    if abs(cosine) < 0.02:  # half a turn apart: the shorter way is not defined
        return
    tree = TransformTree()
    tree.set_transform("a", "b", 1 * S, np.zeros(3), a)
    tree.set_transform("a", "b", 2 * S, np.ones(3), b)
    if cosine < 0:
        b, cosine = -b, -cosine
    angle, f = math.acos(min(1.0, cosine)), percent / 100
    if angle < 1e-6:
        expected = a
    else:
        expected = (math.sin((1 - f) * angle) * a + math.sin(f * angle) * b) / math.sin(angle)
    T = tree.lookup("a", "b", S + percent * S // 100)
    np.testing.assert_allclose(T, pose_from_quaternion(np.full(3, f), expected), atol=1e-6)


def test_a_straggler_after_a_clock_jump_does_not_block_the_new_time():
    tree = TransformTree(cache_s=10.0)
    tree.set_pose("map", "base", 100 * 10**9, np.eye(4))  # came late: the time now is around 5 s
    taken = [tree.set_pose("map", "base", 5 * 10**9 + i, np.eye(4)) for i in range(4)]
    assert taken == [False, False, True, True]
    assert tree.can_transform("map", "base", 5 * 10**9 + 2)
    assert not tree.can_transform("map", "base", 100 * 10**9)
