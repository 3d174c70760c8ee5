"""Intrinsics and poses that no camera has are refused with their value; those that cameras have are not."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.errors import FrameError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import check_pose, pose_from_quaternion

POSE = pose_from_quaternion([1.0, -2.0, 0.5], [0.1, 0.2, 0.3, 0.927362])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((0.6, 0.8, 0.5, 0.5), "fx=0.6"),  # normalised
        ((1e300, 500, 319.5, 239.5), "fx=1e\\+300"),
        ((500, 500, 1e30, 239.5), "cx=1e\\+30"),
        ((500, 500, 319.5, -1e30), "cy=-1e\\+30"),
        ((1000, 1000, 639.5, 479.5), "images 2 times as large"),
        ((250, 250, 159.5, 119.5), "images 0.5 times as large"),
        ((500, 500, 239.5, 319.5), "turned by a quarter"),
    ],
)
def test_intrinsics_of_no_such_camera(values: tuple[float, ...], says: str) -> None:
    with pytest.raises(FrameError, match=says) as error:
        Intrinsics(*values, 640, 480).check_plausible()
    assert error.value.cause == "bad_intrinsics" and "640x480" in str(error.value)
    with pytest.raises(FrameError, match=says):  # every frame is checked
        PosedFrame(1, np.zeros((480, 640, 3), np.uint8), Intrinsics(*values, 640, 480), np.eye(4))


@pytest.mark.parametrize(
    "values",
    [
        (525, 525, 319.5, 239.5),
        (150, 150, 319.5, 239.5),  # 130 degrees wide
        (5000, 5000, 300, 250),  # a telephoto lens
        (525, 525, 100, 239.5),  # a crop off the middle
        (525, 525, -80, 300),  # a crop without the middle
        (800, 525, 330, 239.5),  # pixels that are not square
    ],
)
def test_intrinsics_that_cameras_have(values: tuple[float, ...]) -> None:
    Intrinsics(*values, 640, 480).check_plausible()
    Intrinsics(*values, 640, 480).scaled(64, 48).check_plausible()


def with_value(row: int, column: int, value: float) -> np.ndarray:
    T = POSE.copy()
    T[row, column] = value
    return T


@pytest.mark.parametrize(
    ("T", "says"),
    [
        (POSE.T, "last row 1 -2 0.5 1 instead of 0 0 0 1: the matrix is transposed"),
        (with_value(3, 3, 2.0), "last row 0 0 0 2"),
        (POSE @ np.diag([1000.0, 1000, 1000, 1]), "scaled by 1000"),
        (POSE @ np.diag([1.02, 1.02, 1.02, 1]), "scaled by 1.02"),
        (POSE @ np.diag([1.0, 1, -1, 1]), "left-handed"),
        (POSE @ np.diag([1.0, 1.2, 1, 1]), "not orthonormal"),
        (with_value(0, 3, 2e9), "2e\\+09 m from the origin"),
    ],
)
def test_matrices_that_are_no_poses(T: np.ndarray, says: str) -> None:
    with pytest.raises(FrameError, match=says) as error:
        check_pose(T)
    assert error.value.cause == "bad_pose" and "\n" not in str(error.value)


def test_poses_are_kept_to_the_last_digit() -> None:
    T = with_value(0, 3, 5_500_000.125)
    np.testing.assert_array_equal(check_pose(T)[:3, 3], T[:3, 3])
    T[:3, :3] = np.round(POSE[:3, :3], 3)  # as a text file with few digits has it
    np.testing.assert_allclose(check_pose(T)[:3, :3], POSE[:3, :3], atol=2e-3)


def test_depth_of_another_shape_is_of_another_camera() -> None:
    camera, color = Intrinsics(120, 120, 79.5, 59.5, 160, 120), np.zeros((120, 160, 3), np.uint8)
    for height, width in ((120, 160), (60, 80), (240, 320), (9, 12), (121, 160)):
        PosedFrame(1, color, camera, np.eye(4), np.ones((height, width), np.float32))
    with pytest.raises(FrameError, match="depth is 160x90 and colour 160x120") as error:
        PosedFrame(1, color, camera, np.eye(4), np.ones((90, 160), np.float32))
    assert error.value.cause == "depth_not_registered"
