"""Depth registered to another camera: values known by hand, what hides what, what nobody sees."""

from __future__ import annotations

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.registration import register_depth

CAMERA = Intrinsics(10.0, 10.0, 8.0, 6.0, 16, 12)


def _shift(x: float, z: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    T[:3, 3] = (x, 0, z)
    return T


def test_the_same_camera_sees_the_same_depth() -> None:
    depth = np.random.default_rng(3).uniform(0.5, 3, (12, 16)).astype(np.float32)
    depth[2, 3] = 0
    np.testing.assert_allclose(register_depth(depth, CAMERA, CAMERA, np.eye(4)), depth, rtol=1e-6)


def test_a_camera_to_the_right_sees_things_farther_left() -> None:
    depth = np.zeros((12, 16), np.float32)
    depth[5, 9] = 2.0
    # the colour camera stands 0.4 m to the right: 10 px * 0.4 m / 2 m = 2 px
    seen = register_depth(depth, CAMERA, CAMERA, _shift(-0.4))
    assert np.argwhere(seen > 0).tolist() == [[5, 7]] and seen[5, 7] == 2.0
    farther = register_depth(depth, CAMERA, CAMERA, _shift(0, z=0.5))
    assert farther[farther > 0].tolist() == [2.5]


def test_the_nearest_of_two_points_stays() -> None:
    depth = np.zeros((12, 16), np.float32)
    depth[5, 9], depth[5, 11] = 4.0, 1.0  # moved by 1 px and by 4 px, left
    depth[5, 12] = 2.0  # moved by 2 px
    seen = register_depth(depth, CAMERA, CAMERA, _shift(-0.4))
    assert {tuple(p): float(seen[tuple(p)]) for p in np.argwhere(seen > 0)} == {(5, 8): 4.0, (5, 7): 1.0, (5, 10): 2.0}
    depth[5, 8] = 4.0  # falls into (5, 7) as well, from behind
    assert register_depth(depth, CAMERA, CAMERA, _shift(-0.4))[5, 7] == 1.0


def test_another_focal_length_and_size() -> None:
    half = Intrinsics(5.0, 5.0, 4.0, 3.0, 8, 6)
    seen = register_depth(np.full((12, 16), 1.5, np.float32), CAMERA, half, np.eye(4))
    assert seen.shape == (6, 8) and seen.dtype == np.float32 and (seen == 1.5).all()
    wide = Intrinsics(5.0, 5.0, 8.0, 6.0, 16, 12)  # sees twice as much: a border stays empty
    seen = register_depth(np.full((12, 16), 1.5, np.float32), CAMERA, wide, np.eye(4))
    assert (seen[4:8, 5:11] == 1.5).all() and (seen[:2] == 0).all() and (seen[:, :3] == 0).all()


def test_what_is_behind_the_colour_camera_is_not_seen() -> None:
    assert not register_depth(np.full((12, 16), 1.0, np.float32), CAMERA, CAMERA, _shift(0, z=-2.0)).any()
