"""A small room for tests of context: a floor, a wall and a table whose top looks like floor to the segmenter."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.context.network import ContextConfig, ContextNet, RoomSurface

CLASSES = 4
FLOOR, WALL, TABLE = 0, 1, 2


def room(seed: int = 0, voxel_m: float = 0.05, floor_known: bool = True) -> tuple[RoomSurface, Tensor]:
    """The surface, z up, and its true classes [N]. Segmented table tops are floor."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.4, 1.2, 2)
    floor = _plate(0, 2.4, 0, 2.0, 0.0, voxel_m)
    top = _plate(x, x + 0.9, y, y + 0.6, 0.75, voxel_m)
    wall = _plate(0, 2.4, 0, 2.2, 0.0, voxel_m)[:, [0, 2, 1]]
    position = np.concatenate([floor, wall, top])
    normal = np.repeat([[0, 0, 1.0], [0, 1.0, 0], [0, 0, 1.0]], [len(floor), len(wall), len(top)], axis=0)
    label = np.repeat([FLOOR, WALL, TABLE], [len(floor), len(wall), len(top)])
    seen = np.where(label == TABLE, FLOOR, label)
    fused = np.full((len(label), CLASSES), 0.1)
    fused[np.arange(len(label)), seen] = 0.7
    support = np.full(len(label), 0.75)
    columns = (torch.from_numpy(part.astype(np.float32)) for part in (position, normal, fused, support))
    p, n, f, s = columns
    return RoomSurface(p, n, f, s, voxel_m, floor_known), torch.from_numpy(label)


def _plate(x0: float, x1: float, y0: float, y1: float, z: float, voxel_m: float) -> np.ndarray:
    x, y = np.meshgrid(np.arange(x0, x1, voxel_m), np.arange(y0, y1, voxel_m))
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1)


def random_net(seed: int = 0, classes: int = CLASSES) -> ContextNet:
    """A tiny network whose last layer is not zero."""
    torch.manual_seed(seed)
    net = ContextNet(ContextConfig(classes, width=8, wide=8))
    torch.nn.init.normal_(net.last.weight)
    return net.eval()
