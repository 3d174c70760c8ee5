"""Voxel names: every voxel of a block has its own, and world positions, blocks and names go together."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.geometry.voxel_names import BLOCK, VOXELS, blocks_of, renamed, slot_of, voxel_names

AXIS = torch.arange(BLOCK)
INNER = torch.cartesian_prod(AXIS, AXIS, AXIS)


def test_the_voxels_of_a_block_are_numbered_x_first() -> None:
    names = voxel_names(torch.full((VOXELS,), 3), INNER)
    assert sorted(names.tolist()) == list(range(3 * VOXELS, 4 * VOXELS))
    assert int(voxel_names(torch.tensor(0), torch.tensor([1, 2, 3]))) == 1 + 8 * 2 + 64 * 3
    assert (slot_of(names) == 3).all()
    assert torch.equal(renamed(names, torch.tensor(5)), voxel_names(torch.full((VOXELS,), 5), INNER))


@given(st.lists(st.integers(-(10**6), 10**6), min_size=3, max_size=3))
def test_a_lattice_position_is_its_block_and_its_place_inside(position: list[int]) -> None:
    block, inner = blocks_of(torch.tensor(position))
    assert (block * BLOCK + inner).tolist() == position
    assert ((inner >= 0) & (inner < BLOCK)).all()
