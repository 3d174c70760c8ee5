"""Rigid transforms. `T_target_source` is a 4x4 that maps points of `source` into `target`, metres."""

from __future__ import annotations

import numpy as np
from transforms3d import quaternions

from sem_field_ros.errors import FrameError

MAX_POSITION_M = 1e7  # a coordinate on earth, in any national grid or from its centre
_LAST_ROW_TOLERANCE = 1e-6

# Blender / OpenGL cameras look along -z with y up: T_optical_opengl turns their points into optical ones.
T_OPTICAL_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])

# REP-103: a camera that looks along its robot's x axis; a body has x forward, y left, z up.
T_BODY_OPTICAL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def check_pose(T: np.ndarray, name: str = "T_world_camera", tolerance: float = 1e-2) -> np.ndarray:
    """Return `T` as float64 4x4 if it is a finite rigid transform, its rotation made exactly orthonormal.

    Raises FrameError (cause `bad_pose`) with the value met for NaN, wrong shape, another last row than 0 0 0 1, scale,
    shear, mirrored axes, and positions farther than MAX_POSITION_M.
    """
    T = np.array(T, dtype=np.float64)
    if T.shape != (4, 4) or not np.isfinite(T).all():
        raise FrameError(f"{name} is not a finite 4x4 transform: check the TF tree or pose files", cause="bad_pose")
    if np.abs(T[3] - (0, 0, 0, 1)).max() > _LAST_ROW_TOLERANCE:
        row = " ".join(f"{value:g}" for value in T[3])
        transposed = np.abs(T[:, 3] - (0, 0, 0, 1)).max() <= _LAST_ROW_TOLERANCE
        advice = "the matrix is transposed" if transposed else "write row by row, the position in the last column"
        raise FrameError(f"{name} has the last row {row} instead of 0 0 0 1: {advice}", cause="bad_pose")
    R = T[:3, :3]
    if (problem := _rotation_problem(R, tolerance)) is not None:
        raise FrameError(f"{name} is not a rigid transform: {problem}", cause="bad_pose")
    if (farthest := float(np.abs(T[:3, 3]).max())) > MAX_POSITION_M:
        raise FrameError(
            f"{name} is {farthest:.3g} m from the origin, more than {MAX_POSITION_M:.0e} m: check units and TF",
            cause="bad_pose",
        )
    u, _, vt = np.linalg.svd(R)
    T[:3, :3] = u @ vt
    T[3] = (0, 0, 0, 1)
    return T


def _rotation_problem(R: np.ndarray, tolerance: float) -> str | None:
    """What keeps a 3x3 from being a rotation, None for one."""
    determinant = float(np.linalg.det(R))
    if determinant < 0:
        return f"its axes are left-handed (determinant {determinant:.3g}); flip one axis"
    scale = determinant ** (1 / 3)
    if scale > 0 and np.abs(R @ R.T / scale**2 - np.eye(3)).max() <= tolerance < abs(scale - 1) * 2:
        return f"its rotation is scaled by {scale:.4g}; divide it by that"
    error = float(np.abs(R @ R.T - np.eye(3)).max())
    return f"its rotation is not orthonormal (off by {error:.3g})" if error > tolerance else None


def is_position(translation: np.ndarray) -> bool:
    """Whether a translation [3] is finite and within MAX_POSITION_M: NaN compares false."""
    return bool((np.abs(translation) <= MAX_POSITION_M).all())


def pose_from_quaternion(translation: np.ndarray, xyzw: np.ndarray, name: str = "transform") -> np.ndarray:
    """ROS translation (metres) and quaternion (x, y, z, w) -> 4x4. Raises FrameError if not finite or zero."""
    q = np.asarray(xyzw, dtype=np.float64)
    t = np.asarray(translation, dtype=np.float64)
    if not (np.isfinite(q).all() and np.isfinite(t).all()) or np.linalg.norm(q) < 1e-6:
        raise FrameError(f"{name} has a NaN or zero quaternion or translation", cause="bad_pose")
    T = np.eye(4)
    T[:3, :3] = quaternions.quat2mat([q[3], q[0], q[1], q[2]])
    T[:3, 3] = t
    return T


def quaternion_from_pose(T: np.ndarray) -> np.ndarray:
    """Return the quaternion (x, y, z, w) of a 4x4."""
    w, x, y, z = quaternions.mat2quat(T[:3, :3])
    return np.array([x, y, z, w])


def inverse(T: np.ndarray) -> np.ndarray:
    """Return the inverse of a rigid 4x4."""
    out = np.eye(4)
    out[:3, :3] = T[:3, :3].T
    out[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return out


def transform_points(T_target_source: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [..., 3] in source -> [..., 3] in target."""
    return points @ T_target_source[:3, :3].T + T_target_source[:3, 3]


def motion_between(T_a: np.ndarray, T_b: np.ndarray) -> tuple[float, float]:
    """Return (distance in metres, angle in radians) between two poses of the same target frame."""
    cosine = (np.trace(T_a[:3, :3].T @ T_b[:3, :3]) - 1) / 2
    return float(np.linalg.norm(T_a[:3, 3] - T_b[:3, 3])), float(np.arccos(np.clip(cosine, -1, 1)))


def interpolate(T_a: np.ndarray, T_b: np.ndarray, fraction: float) -> np.ndarray:
    """Pose at `fraction` in [0, 1] from a to b: linear in translation, constant angular rate in rotation."""
    axis, angle = quaternions.quat2axangle(quaternions.mat2quat(T_a[:3, :3].T @ T_b[:3, :3]))
    if angle > np.pi:  # the shorter rotation
        angle -= 2 * np.pi
    T = np.eye(4)
    T[:3, :3] = T_a[:3, :3] @ quaternions.quat2mat(quaternions.axangle2quat(axis, angle * fraction))
    T[:3, 3] = (1 - fraction) * T_a[:3, 3] + fraction * T_b[:3, 3]
    return T
