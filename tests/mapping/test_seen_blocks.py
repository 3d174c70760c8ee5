"""Blocks that a frame sees, on a wall 1.5 m before the camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sem_field_ros.geometry.tsdf import TsdfConfig
from sem_field_ros.geometry.tsdf_backends import make_tsdf
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.seen_blocks import SeenBlocks
from sem_field_ros.mapping.semantic_map import SemanticMap
from tests.mapping.scene import LABELS, WALL_Z, wall_frame

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


@pytest.mark.parametrize("backend", ["open3d", "torch"])
def test_a_ghost_before_a_background_beyond_the_range_goes(backend: str) -> None:
    """Somebody stood at 1.5 m before a wall at 6 m, beyond depth_max_m 4, and left; no surface appears at 4 m."""
    semantic_map = SemanticMap(MapConfig(fusion="majority", smoothing_cell_m=0.0, backend=backend), LABELS)
    person = wall_frame()
    far = np.full_like(person.depth, 6.0)
    depth = far.copy()
    depth[20:40, 30:50] = person.depth[20:40, 30:50]
    for _ in range(6):
        semantic_map.integrate(replace(person, depth=depth))
    ghost = semantic_map.surface().vertices
    assert len(ghost) > 20 and np.abs(ghost[:, 2] - WALL_Z).max() < 0.02
    for _ in range(32):
        semantic_map.integrate(replace(person, depth=far))
    assert len(semantic_map.surface()) == 0
