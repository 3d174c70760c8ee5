"""Blocks that a frame sees, on a wall 1.5 m before the camera."""

from __future__ import annotations

import numpy as np
import torch

from sem_field_ros.geometry.tsdf import TsdfConfig
from sem_field_ros.geometry.tsdf_backends import make_tsdf
from sem_field_ros.mapping.seen_blocks import SeenBlocks
from tests.mapping.scene import wall_frame

VOXEL_M = 0.05
SIDE_M = 8 * VOXEL_M


def test_a_frame_is_looked_up_once_however_often_it_is_asked() -> None:
    volume = make_tsdf("torch", TsdfConfig(VOXEL_M), 1024, "cpu")
    seen = SeenBlocks(volume)
    first, second = wall_frame(0.0), wall_frame(0.8, stamp_ns=1)
    keys = seen.surface(first)
    assert seen.surface(first) is keys
    other = seen.surface(second)
    assert other is not keys and seen.surface(second) is other
    expected = volume.visible_block_keys(second.depth, second.depth_camera, second.T_world_camera)
    assert set(map(tuple, other.tolist())) == set(map(tuple, expected.tolist()))


def test_free_space_is_what_lies_before_the_surface() -> None:
    volume = make_tsdf("torch", TsdfConfig(VOXEL_M), 1024, "cpu")
    seen, frame = SeenBlocks(volume), wall_frame(0.0)
    x, y, z = (frame.T_world_camera[:3, 3] + frame.T_world_camera[:3, 2] * 0.6) / SIDE_M
    before = [int(np.floor(v)) for v in (x, y, z)]
    x, y, z = (frame.T_world_camera[:3, 3] + frame.T_world_camera[:3, 2] * 2.6) / SIDE_M
    behind = [int(np.floor(v)) for v in (x, y, z)]
    back = frame.T_world_camera[:3, 3] - frame.T_world_camera[:3, 2] * 1.0
    behind_camera = [int(np.floor(v / SIDE_M)) for v in back]
    volume.activate(torch.tensor([before, behind, behind_camera], dtype=torch.int32))
    assert seen.free_space(frame).tolist() == [before]
