"""Smooths labels over nearby surface: replaces GNeSF's encoding volume M(x) in RGB-D mode.

Fused distributions are averaged in coarse cells and read back by trilinear interpolation, separately for six surface
directions: a table top is not averaged with its legs, nor a wall with the room behind it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, max_pool3d, normalize

from sem_field_ros.geometry.tsdf import TsdfVolume, unique_keys
from sem_field_ros.geometry.voxel_names import slot_of
from sem_field_ros.mapping.votes import VoteTable

WEIGHT = 4.0  # weight of the neighbourhood relative to a voxel's own views; chosen on validation homes
_NO_VIEW = 0.5  # factor of the neighbours' support for a voxel without a view of its own
_CHUNK = 65_536  # points at once: bounds the memory for a whole map
_FACES = 6  # +x, +y, +z, -x, -y, -z
_MOST_CELLS = 1 << 23  # of a grid of blocks
_CORNERS = torch.tensor([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)], dtype=torch.int32)


class LabelSmoother:
    """Computes VoteTable.probabilities and .confidence from a voxel's own views and its neighbourhood."""

    def __init__(self, volume: TsdfVolume, votes: VoteTable, cell_m: float) -> None:
        """cell_m: edge of a cell in metres, 0 = no smoothing"""
        self._volume, self._votes, self._cell_m = volume, votes, cell_m
        # votes go to pools of half a cell, pools to the cells around them, and cells are interpolated
        self._reach = math.ceil(2.5 * cell_m / volume.config.block_side_m)
        self._touched: list[Tensor] = []

    def touch(self, keys: Tensor) -> None:
        """Mark blocks [n, 3] whose votes or voxels changed: `update` recomputes them and those around them."""
        if len(keys):
            self._touched.append(keys.cpu())

    def update(self) -> Tensor:
        """Recompute marked blocks and those around them; returns keys [n, 3] int32 of blocks with other labels."""
        if not self._touched:
            return torch.zeros(0, 3, dtype=torch.int32)
        touched, self._touched = torch.cat(self._touched), []
        keys = self._existing(around(touched, self._reach))
        slots, votes = self._volume.find(keys), self._votes
        rows = votes.rows_in(slots)
        fused, support = votes.before_smoothing[rows], votes.support[rows]
        if self._cell_m and len(rows):
            near = votes.rows_in(self._volume.find(self._existing(around(keys, self._reach))))
            near = near[votes.support[near] > 0]
            known = votes.position[near], votes.normal[near], votes.before_smoothing[near], votes.support[near]
            cells = Neighbourhood(*known, self._cell_m)
            fused, support = cells.update(votes.position[rows], votes.normal[rows], fused, support)
        confidence = fused.amax(dim=1) * support
        changed = (confidence != votes.confidence[rows]) | (fused != votes.probabilities[rows]).any(dim=1)
        votes.probabilities[rows], votes.confidence[rows] = fused, confidence
        return keys[torch.isin(slots, slot_of(votes.voxel[rows[changed]]).cpu())]

    def _existing(self, keys: Tensor) -> Tensor:
        return keys[self._volume.find(keys) >= 0]


class Neighbourhood:
    """Fused distributions of M surface points, pooled in half cells, from which `update` reads the neighbourhood.

    position [M, 3] metres    normal [M, 3] unit    fused [M, C], of sum 1    support [M] in 0..1, see VoteTable
    """

    def __init__(self, position: Tensor, normal: Tensor, fused: Tensor, support: Tensor, cell_m: float) -> None:
        self._cell_m = cell_m
        face = _faces(normal)[0].gather(1, normal.abs().argmax(dim=1, keepdim=True))
        half = (position / (0.5 * cell_m)).floor().int()
        # pools of one half cell: one for every face; counted from the first, for keys have an end (see unique_keys)
        half[:, :1] = (half[:, :1] - half[:1, :1]) * _FACES + face
        pools, pool = unique_keys(half)
        columns = torch.cat([fused, support[:, None], torch.ones_like(support)[:, None], position, normal], dim=1)
        sums = columns.new_zeros(len(pools), columns.shape[1]).index_add_(0, pool, columns)
        sums, position, normal = sums.split([fused.shape[1] + 2, 3, 3], dim=1)
        self._spread(position / sums[:, -1:], normalize(normal), sums)

    def _spread(self, position: Tensor, normal: Tensor, sums: Tensor) -> None:
        """Spread pools [P] over the cells around them. The table's last rows are an empty cell."""
        corners = (position / self._cell_m).floor().int()[:, None] + _CORNERS.to(position.device)
        self._cells, cell = unique_keys(corners.reshape(-1, 3))
        self._table = sums.new_zeros((len(self._cells) + 1) * _FACES, sums.shape[1])
        at, weight = self._stencil(cell.reshape(-1, 8), position, normal)
        for index, share in zip(at.unbind(1), weight.unbind(1), strict=True):
            self._table.index_add_(0, index, sums * share[:, None])

    def update(self, position: Tensor, normal: Tensor, fused: Tensor, support: Tensor) -> tuple[Tensor, Tensor]:
        """Points [N], as above or with a `fused` and `support` of 0 -> their distributions [N, C] and support [N].

        fused + WEIGHT * neighbourhood, normalised to sum to 1; 0 if both are empty.
        """
        parts = [self._read(p, n) for p, n in zip(position.split(_CHUNK), normal.split(_CHUNK), strict=True)]
        mean, near_support = (torch.cat(column) for column in zip(*parts, strict=True))
        together = fused + WEIGHT * mean
        together /= together.sum(dim=1, keepdim=True).clamp(min=1e-9)
        return together, torch.where(support > 0, support, _NO_VIEW * near_support)

    def _read(self, position: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        """Mean distribution [N, C] and support [N] of the pools around points, trilinear from cell corners."""
        low, base = unique_keys((position / self._cell_m).floor())
        cell = self._numbers((low[:, None] + _CORNERS.to(low.device)).reshape(-1, 3)).reshape(-1, 8)
        at, weight = self._stencil(cell[base], position, normal)
        read = embedding_bag(at, self._table, per_sample_weights=weight, mode="sum")
        read /= read[:, -1:].clamp(min=1e-9)
        return read[:, :-2], read[:, -2]

    def _numbers(self, cells: Tensor) -> Tensor:
        """Index into `_cells` of each of cells [n, 3], [n]; their number if it is not there."""
        known = len(self._cells)
        unique, back = unique_keys(torch.cat([self._cells, cells]))
        number = torch.full((len(unique),), known, device=cells.device)
        number[back[:known]] = torch.arange(known, device=cells.device)
        return number[back[known:]]

    def _stencil(self, cell: Tensor, position: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the table [N, 24] and their weights: the 8 corners `cell` [N, 8] around points, by 3 faces each."""
        t = position / self._cell_m
        t -= t.floor()
        x, y, z = torch.stack([1 - t, t], dim=1).unbind(2)  # [N, 2]: of the low corners and of the high ones
        corner = (z[:, :, None, None] * y[:, None, :, None] * x[:, None, None, :]).flatten(1)  # as in _CORNERS
        face, share = _faces(normal)
        at = cell[:, :, None] * _FACES + face[:, None]
        return at.flatten(1), (corner[:, :, None] * share[:, None]).flatten(1)


def _faces(normal: Tensor) -> tuple[Tensor, Tensor]:
    """The three faces [N, 3] towards normals [N, 3], and their weights [N, 3], of sum 1."""
    face = torch.arange(3, device=normal.device) + 3 * (normal < 0)
    share = normal.square()
    return face, share / share.sum(dim=1, keepdim=True).clamp(min=1e-12)


def around(keys: Tensor, reach: int) -> Tensor:
    """Keys [n, 3] and all within `reach` blocks of them along every axis, each once, sorted."""
    if not len(keys):
        return keys
    low = keys.amin(dim=0) - reach
    size = keys.amax(dim=0) + reach + 1 - low
    if int(size.long().prod()) > _MOST_CELLS:
        return _around_sparsely(keys, reach)
    near = torch.zeros(*size.tolist())
    near[(keys - low).long().unbind(1)] = 1
    width = 2 * reach + 1
    for axis in range(3):
        window, padding = ([n if a == axis else k for a in range(3)] for n, k in ((width, 1), (reach, 0)))
        near = max_pool3d(near[None], window, stride=1, padding=padding)[0]
    return near.nonzero().to(keys.dtype) + low


def _around_sparsely(keys: Tensor, reach: int) -> Tensor:
    """As around, for keys so far apart that a grid around all of them is too large."""
    step = torch.arange(-reach, reach + 1, dtype=keys.dtype)
    for axis in range(3):
        offset = torch.zeros(len(step), 3, dtype=keys.dtype)
        offset[:, axis] = step
        keys = unique_keys((keys[:, None] + offset).reshape(-1, 3))[0]
    return keys
