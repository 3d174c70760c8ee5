"""Constructed scenes for the tests of GSNeRF: a box in front of a textured wall, drawn and ray cast exactly."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.segmentation.segmenter import ClassProbabilities

CAMERA = Intrinsics(80.0, 80.0, 63.5, 47.5, 128, 96)
WALL_Z = 2.0
BOX = (-0.3, 0.3, -0.3, 0.3, 1.2)  # x, x, y, y, z of a square in front of the wall
PLACES = ((-0.3, 0.0), (0.3, 0.05), (0.0, -0.3), (0.05, 0.3), (-0.2, -0.2))
CLASSES = 3  # 1 = wall, 2 = box


def pattern(x: np.ndarray, y: np.ndarray, phase: float) -> np.ndarray:
    """Colours [..., 3] at metres x, y: waves that no shift of a few centimetres brings onto themselves."""
    a = np.sin(9 * x + 2 * np.sin(5 * y) + phase) + np.sin(17 * y + 3.3 * x)
    b = np.cos(13 * x - 7 * y + phase) + np.sin(11 * y * x)
    return np.stack([0.45 + 0.12 * a, 0.45 + 0.12 * b, 0.45 + 0.08 * (a - b)], axis=-1)


def pose(cx: float, cy: float) -> np.ndarray:
    """A camera at (cx, cy, 0) that looks along z."""
    T = np.eye(4)
    T[:2, 3] = cx, cy
    return T


def view(
    cx: float, cy: float, box: bool = True, camera: Intrinsics = CAMERA
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image [h, w, 3] uint8, exact depth [h, w] float32 and class index [h, w] of the camera at `pose(cx, cy)`."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    wall = pattern(cx + x * WALL_Z, cy + y * WALL_Z, 0.0)
    left, right, top, bottom, z = BOX
    bx, by = cx + x * z, cy + y * z
    hit = (bx > left) & (bx < right) & (by > top) & (by < bottom) & box
    color = np.where(hit[..., None], pattern(bx, by, 1.7)[..., ::-1], wall)
    depth = np.where(hit, z, WALL_Z).astype(np.float32)
    return (color.clip(0, 1) * 255 + 0.5).astype(np.uint8), depth, np.where(hit, 2, 1)


def frame(cx: float, cy: float, gain: float = 1.0, box: bool = True) -> tuple[PosedFrame, ClassProbabilities]:
    """The frame of a camera with its depth and one-hot class probabilities."""
    color, depth, labels = view(cx, cy, box)
    color = (color * gain).clip(0, 255).astype(np.uint8)
    values = torch.eye(CLASSES)[torch.from_numpy(labels)].permute(2, 0, 1).contiguous()
    return PosedFrame(0, color, CAMERA, pose(cx, cy), depth), ClassProbabilities(values)


def as_tensor(color: np.ndarray) -> Tensor:
    """An image [h, w, 3] uint8 as [3, h, w] 0..1."""
    return torch.from_numpy(color).permute(2, 0, 1).float() / 255
