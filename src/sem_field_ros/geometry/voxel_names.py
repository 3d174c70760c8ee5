"""Names of voxels: slot * VOXELS + index inside the block. Defines how blocks and voxels are numbered.

A voxel (i, j, k) of the world lattice lies in block (i, j, k) // BLOCK; its index inside is x + 8 y + 64 z.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 8  # voxels along a block's side
VOXELS = BLOCK**3


def voxel_names(slots: Tensor, inner: Tensor) -> Tensor:
    """Names [...] int64 of the voxels at `inner` [..., 3] (x, y, z in 0..7) of the blocks in `slots` [...]."""
    return slots * VOXELS + inner[..., 0] + BLOCK * inner[..., 1] + BLOCK**2 * inner[..., 2]


def slot_of(names: Tensor) -> Tensor:
    """Slots of the blocks that voxels lie in."""
    return names // VOXELS


def renamed(names: Tensor, slots: Tensor) -> Tensor:
    """The same voxels after their blocks moved to `slots`."""
    return slots * VOXELS + names % VOXELS


def blocks_of(lattice: Tensor) -> tuple[Tensor, Tensor]:
    """World lattice positions [..., 3] -> keys of their blocks [..., 3], and positions inside these [..., 3]."""
    block = torch.div(lattice, BLOCK, rounding_mode="floor")
    return block, lattice - block * BLOCK
