"""The drawn path: bounded, without the jumps."""

from __future__ import annotations

import numpy as np

from sem_field_ros.viewer.drawn_path import DrawnPath


def pose(x: float) -> np.ndarray:
    T = np.eye(4)
    T[0, 3] = x
    return T


def test_the_path_is_bounded_and_keeps_its_ends() -> None:
    path = DrawnPath(step_m=0.01, max_poses=100)
    for i in range(5000):
        path.add(pose(0.02 * i))
    assert 20 < len(path.poses) <= 100
    segments = path.segments()
    assert segments[0, 0, 0] == 0.0 and segments[-1, 1, 0] > 90.0
    path.clear()
    assert path.segments().shape == (0, 2, 3) and path.add(pose(0)) and path.add(pose(0.011))


def test_standing_still_adds_nothing_and_jumps_are_not_drawn() -> None:
    path = DrawnPath()
    assert [path.add(pose(x)) for x in (0.0, 0.001, 0.1, 9.0, 9.1)] == [True, False, True, True, True]
    assert path.segments()[:, :, 0].tolist() == np.float32([[0.0, 0.1], [9.0, 9.1]]).tolist()


def test_a_path_of_long_steps_is_drawn() -> None:
    path = DrawnPath()
    for x in (0.0, 2.0, 4.0, 6.0, 60.0, 62.0):
        path.add(pose(x))
    assert path.segments()[:, :, 0].tolist() == [[0, 2], [2, 4], [4, 6], [60, 62]]
