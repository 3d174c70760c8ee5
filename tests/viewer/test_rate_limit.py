"""Bounded work: the newest wins, slow jobs come less often, paths do not grow."""

from __future__ import annotations

import numpy as np

from sem_field_ros.viewer.drawn_path import DrawnPath
from sem_field_ros.viewer.rate_limit import Newest, RateLimit


def test_only_the_newest_offer_is_made() -> None:
    made: list[int] = []
    slot: Newest[None] = Newest()
    for i in range(5):
        slot.offer(lambda i=i: made.append(i))
    make = slot.take()
    assert make is not None and not slot and slot.take() is None
    make()
    assert made == [4]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_quick_job_keeps_its_rate_and_a_slow_one_rests() -> None:
    clock = Clock()
    limit = RateLimit(2.0, clock)
    assert limit.due()
    with limit:
        clock.now += 0.1
    clock.now = 100.49
    assert not limit.due()
    clock.now = 100.51
    assert limit.due()
    with limit:
        clock.now += 1.0  # ends at 101.51, rests 3 s
    clock.now = 104.4
    assert not limit.due()
    limit.reset()
    assert limit.due()
    with limit:
        pass
    clock.now = 104.6
    assert not limit.due()


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
