"""Jumps of map -> odom and gaps between stamps."""

from __future__ import annotations

import numpy as np

from sem_field_ros.camera_stream.time_policy import FrameJumpWatch, GapWatch

MS = 1_000_000


def at(x: float, degrees: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    T[:2, :2] = [[c, -s], [s, c]]
    T[0, 3] = x
    return T


def jumps(watch: FrameJumpWatch, poses: list[np.ndarray], step_ms: int = 50) -> list[tuple[float, float] | None]:
    return [watch.jumped(i * step_ms * MS, T, 0.3, 10.0) for i, T in enumerate(poses)]


def test_a_step_is_one_jump() -> None:
    seen = jumps(FrameJumpWatch(), [at(0), at(0), at(1), at(1), at(1)])
    assert [j is not None for j in seen] == [False, False, True, False, False]
    assert seen[2] == (1.0, 0.0)


def test_a_turn_is_a_jump() -> None:
    seen = jumps(FrameJumpWatch(), [at(0), at(0, 20)])
    assert seen[1] is not None and abs(seen[1][1] - 20) < 1e-6


def test_a_jump_that_interpolation_spreads_over_two_frames_is_seen_once() -> None:
    seen = jumps(FrameJumpWatch(), [at(0), at(0.2), at(0.4), at(0.4)])
    assert [j is not None for j in seen] == [False, False, True, False]


def test_slow_drift_is_none() -> None:
    assert not any(jumps(FrameJumpWatch(), [at(0.02 * i) for i in range(100)]))  # 0.4 m/s, 0.2 m in the window


def test_a_clock_that_went_back_leaves_no_old_look() -> None:
    watch = FrameJumpWatch()
    jumps(watch, [at(0)] * 5)
    watch.clear()
    assert watch.jumped(0, at(5), 0.3, 10.0) is None


def test_gaps() -> None:
    watch = GapWatch(5.0)
    assert [watch.gap(s * 1_000_000_000) for s in (100, 101, 106, 112, 90, 91)] == [None, None, None, 6.0, None, None]
