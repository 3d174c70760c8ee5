"""Rigid transforms. `T_target_source` is a 4x4 that maps points of `source` into `target`, metres."""

from __future__ import annotations

import numpy as np
from transforms3d import quaternions

from sem_field_ros.errors import FrameError

# Blender / OpenGL cameras look along -z with y up: T_optical_opengl turns their points into optical ones.
T_OPTICAL_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])

# REP-103: a camera that looks along its robot's x axis; a body has x forward, y left, z up.
T_BODY_OPTICAL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def check_pose(T: np.ndarray, name: str = "T_world_camera", tolerance: float = 1e-2) -> np.ndarray:
    """Return `T` as float64 4x4 if it is a finite rigid transform, its rotation made exactly orthonormal.

    Raises FrameError (cause `bad_pose`) for NaN, wrong shape, scale, shear or mirrored axes.
    """
    T = np.array(T, dtype=np.float64)
    if T.shape != (4, 4) or not np.isfinite(T).all():
        raise FrameError(f"{name} is not a finite 4x4 transform: check the TF tree or pose files", cause="bad_pose")
    R = T[:3, :3]
    if np.abs(R @ R.T - np.eye(3)).max() > tolerance or np.linalg.det(R) < 0:
        raise FrameError(f"{name} is not a rigid transform (rotation not orthonormal)", cause="bad_pose")
    u, _, vt = np.linalg.svd(R)
    T[:3, :3] = u @ vt
    T[3] = (0, 0, 0, 1)
    return T


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
