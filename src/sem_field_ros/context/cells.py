"""The cells that the context network works on: surface points pooled in cells of 1, 2 and 4 cell edges.

Cells lie on a fixed lattice of a frame whose z is up. A patch is the surface in the finest cell that faces one of three
ways: up, down or sideways. A table top and the wall behind it are different patches of one cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from sem_field_ros.geometry.tsdf import packed_keys, unique_keys

FACINGS = 3  # up, down, sideways
ORBITS = 9  # classes of the 27 neighbours that a quarter turn about z or a mirror exchanges: 3 heights by 3 distances
_STEEP = 0.7  # cosine to up from which a point faces up or down
_OFFSETS = torch.tensor([[x, y, z] for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)], dtype=torch.int32)
_ORBIT = 3 * (_OFFSETS[:, 2] + 1) + _OFFSETS[:, :2].abs().sum(dim=1)
_ORDER = _ORBIT.argsort(stable=True)
_SIZES = torch.bincount(_ORBIT, minlength=ORBITS)  # 1, 4, 4 at each height
_FIRST = _SIZES.cumsum(0) - _SIZES


@dataclass(frozen=True)
class Cells:
    """N points in P patches, in M cells of two edges, in L cells of four edges.

    patch [N] of each point    facing [P] 0 up, 1 down, 2 sideways    cell [P] of each patch    block [M] of each cell
    near_cells [M, 27], near_blocks [L, 27]: neighbours, grouped by orbit; M (L) where there is none
    """

    patch: Tensor
    facing: Tensor
    cell: Tensor
    block: Tensor
    near_cells: Tensor
    near_blocks: Tensor


def cells_of(position: Tensor, normal: Tensor, edge_m: float) -> Cells:
    """Cells of points [N, 3] (metres, z up) with unit normals [N, 3]; the finest cells have this edge."""
    steep = normal[:, 2]
    facing = torch.where(steep > _STEEP, 0, torch.where(steep < -_STEEP, 1, 2)).int()
    fine = (position / edge_m).floor().int()
    fine[:, 0] = fine[:, 0] * FACINGS + facing
    patches, patch = unique_keys(fine)
    facing = patches[:, 0] % FACINGS
    patches = torch.cat([_halved(patches[:, :1], FACINGS), patches[:, 1:]], dim=1)
    cells, cell = unique_keys(_halved(patches))
    blocks, block = unique_keys(_halved(cells))
    return Cells(patch, facing.long(), cell, block, neighbours(cells), neighbours(blocks))


def neighbours(keys: Tensor) -> Tensor:
    """Positions [n, 27] in `keys` [n, 3] (sorted, each once) of the 27 keys around each, by orbit; n = not there."""
    own, around = packed_keys(keys), packed_keys(keys[:, None] + _OFFSETS[_ORDER].to(keys.device))
    place = torch.searchsorted(own, around).clamp(max=max(len(keys) - 1, 0))
    return torch.where(own[place] == around, place, len(keys)) if len(keys) else place


def orbit_sums(values: Tensor, near: Tensor) -> Tensor:
    """Values [n, F] summed over each orbit of neighbours `near` [n, 27]: [n, ORBITS * F], each as one mean neighbour.

    Divided by the size of the orbit, not by how many are there: what is missing is part of the shape.
    """
    table = torch.cat([values, values.new_zeros(1, values.shape[1])])
    first = torch.arange(len(near), device=near.device)[:, None] * len(_OFFSETS) + _FIRST.to(near.device)
    sums = embedding_bag(near.flatten(), table, first.flatten(), mode="sum").reshape(len(near), ORBITS, -1)
    return (sums / _SIZES.to(near.device)[:, None]).flatten(1)


def mean_into(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Mean [count, F] of the rows of values [n, F] with each index [n]; 0 without any."""
    ones = torch.ones(len(index), 1, dtype=values.dtype, device=values.device)
    sums = values.new_zeros(count, values.shape[1] + 1).index_add(0, index, torch.cat([values, ones], dim=1))
    return sums[:, :-1] / sums[:, -1:].clamp(min=1)


def _halved(keys: Tensor, by: int = 2) -> Tensor:
    return torch.div(keys, by, rounding_mode="floor")
