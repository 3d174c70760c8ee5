"""A scene known by hand: a flat wall in front of a camera, one half of each class, seen by a few views."""

from __future__ import annotations

import numpy as np
import torch

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.segmentation.segmenter import ClassProbabilities

CAMERA = Intrinsics(80, 80, 39.5, 29.5, 80, 60)
LABELS = LabelSet("two", (LabelClass(1, "left", (255, 0, 0)), LabelClass(2, "right", (0, 0, 255))))
WALL_Z = 1.5  # metres in front of the world origin, x right, y down, z forward


def wall_frame(x: float = 0.0, z: float = 0.0, stamp_ns: int = 0, wall_z: float = WALL_Z) -> PosedFrame:
    """A camera at (x, 0, z) that looks at the wall; red where the wall's x < 0, blue where x > 0."""
    T = np.eye(4)
    T[:3, 3] = (x, 0, z)
    depth = np.full((60, 80), wall_z - z, np.float32)
    color = np.zeros((60, 80, 3), np.uint8)
    right = wall_x(x, z, wall_z) > 0
    color[~right, 0] = 255
    color[right, 2] = 255
    return PosedFrame(stamp_ns, color, CAMERA, T, depth)


def wall_x(x: float, z: float, wall_z: float = WALL_Z) -> np.ndarray:
    """World x [60, 80] of the wall points a camera at (x, 0, z) sees."""
    u = np.arange(80)
    return np.broadcast_to(x + (u - CAMERA.cx) / CAMERA.fx * (wall_z - z), (60, 80))


def wall_probabilities(frame: PosedFrame, certainty: float = 0.9, swapped: bool = False) -> ClassProbabilities:
    """What a good (or `swapped`: wholly wrong) segmenter says about a wall frame."""
    right = torch.from_numpy(wall_x(*frame.T_world_camera[[0, 2], 3]) > 0)
    if swapped:
        right = ~right
    p = torch.where(right, certainty, 1 - certainty)
    return ClassProbabilities(torch.stack([1 - p, p]).float())
