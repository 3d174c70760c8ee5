"""The context network: class probabilities of surface points in, a correction of their logarithms out.

It sees what images do not show: height above the floor, the way a surface faces, its extent, what is around it. Surface
is pooled in patches (see cells.py); sums over orbits of neighbours make it independent of quarter turns and mirrors.
The correction is zero before training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sem_field_ros.context.cells import FACINGS, ORBITS, Cells, cells_of, mean_into, orbit_sums
from sem_field_ros.errors import WeightsError

_HEIGHTS_M = (0.0, 0.12, 0.28, 0.45, 0.6, 0.75, 0.9, 1.1, 1.4, 1.8, 2.2, 2.7)  # of seats, tables, counters, handles ...
_OTHER = 4 + len(_HEIGHTS_M)  # inputs beside the classes: support, cosine to up, area, floor known, heights
_LIFT = 0.01  # the smallest probability that a correction multiplies upwards


@dataclass(frozen=True)
class ContextConfig:
    """`classes` of the map, patches in cells of `edge_m`; `width` channels of patches and cells, `wide` of blocks"""

    classes: int
    edge_m: float = 0.1
    width: int = 32
    wide: int = 48

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by config_from_dict."""
        return dataclasses.asdict(self)

    @property
    def reach_m(self) -> float:
        """How far a point can change another's correction: two rings of cells, two of blocks, and their edges."""
        return (2 * 2 + 2 * 4 + 4) * self.edge_m


def config_from_dict(content: Mapping[str, Any]) -> ContextConfig:
    """Read ContextConfig.as_dict. Raises WeightsError in one line."""
    try:
        sizes = int(content["classes"]), float(content["edge_m"]), int(content["width"]), int(content["wide"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"not the architecture of a context network: {error!r}") from error
    return ContextConfig(*sizes)


@dataclass(frozen=True)
class RoomSurface:
    """N surface points in a frame whose z is up.

    position [N, 3] metres, height above the floor if `floor_known`    normal [N, 3] unit, towards free space
    fused [N, C] class probabilities, zeros without a view    support [N] in 0..1, see VoteTable
    voxel_m  a point stands for an area of voxel_m squared
    """

    position: Tensor
    normal: Tensor
    fused: Tensor
    support: Tensor
    voxel_m: float
    floor_known: bool


class ContextNet(nn.Module):
    """See the module. About fifty thousand weights."""

    def __init__(self, config: ContextConfig) -> None:
        super().__init__()
        self.config = config
        w, b, inputs = config.width, config.wide, config.classes + _OTHER
        self.patch = nn.Linear(inputs, w)
        self.cell = nn.Linear(FACINGS * w, w)
        self.cell_ring = nn.Linear(ORBITS * w, w)
        self.block = nn.Linear(w, b)
        self.block_rings = nn.ModuleList([nn.Linear(ORBITS * b, b) for _ in range(2)])
        self.cell_again = nn.Linear(w + b, w)
        self.cell_ring_again = nn.Linear(ORBITS * w, w)
        self.head = nn.Linear(inputs + 2 * w, b)
        self.last = nn.Linear(b, config.classes)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, surface: RoomSurface) -> Tensor:
        """The correction of the log probabilities of every point, [N, C]."""
        middle = surface.position.new_tensor([0.0, 0.0, self.config.edge_m / 2])  # the floor lies within a cell
        cells = cells_of(surface.position + middle, surface.normal, self.config.edge_m)
        inputs = self._inputs(surface, cells)
        patch = torch.relu(self.patch(inputs))
        count = len(cells.block)
        facing = mean_into(patch, cells.cell * FACINGS + cells.facing, count * FACINGS)
        cell = torch.relu(self.cell(facing.reshape(count, -1)))
        cell = cell + torch.relu(self.cell_ring(orbit_sums(cell, cells.near_cells)))
        block = torch.relu(self.block(mean_into(cell, cells.block, len(cells.near_blocks))))
        for ring in self.block_rings:
            block = block + torch.relu(ring(orbit_sums(block, cells.near_blocks)))
        cell = torch.relu(self.cell_again(torch.cat([cell, block[cells.block]], dim=1)))
        cell = cell + torch.relu(self.cell_ring_again(orbit_sums(cell, cells.near_cells)))
        hidden = torch.relu(self.head(torch.cat([inputs, patch, cell[cells.cell]], dim=1)))
        correction: Tensor = self.last(hidden)
        return correction[cells.patch]

    def _inputs(self, surface: RoomSurface, cells: Cells) -> Tensor:
        """Of every patch [P, classes + _OTHER]."""
        known = (surface.support > 0).to(surface.fused.dtype)
        columns = [surface.fused, known[:, None], surface.support[:, None], surface.normal[:, 2:]]
        columns += [surface.position[:, 2:], torch.ones_like(known)[:, None]]
        together = torch.cat(columns, dim=1)
        sums = together.new_zeros(len(cells.facing), together.shape[1]).index_add_(0, cells.patch, together)
        fused, rest = sums.split([surface.fused.shape[1], 5], dim=1)
        points = rest[:, 4:]
        support, cosine, height = (rest[:, 1:4] / points).split(1, dim=1)
        area = points * (surface.voxel_m / self.config.edge_m) ** 2
        flag = torch.full_like(height, float(surface.floor_known))
        parts = [fused / rest[:, :1].clamp(min=1), support, cosine, area.clamp(max=3), flag, flag * _levels(height)]
        return torch.cat(parts, dim=1)


def corrected(fused: Tensor, correction: Tensor) -> Tensor:
    """Probabilities [N, C] (rows of sum 1, or of 0 without a view) times exp(correction), of sum 1 again.

    A correction of zero changes nothing; a positive one also lifts a class whose probability is 0.
    """
    factor = correction.clamp(-10, 10).exp()
    together = fused * factor + _LIFT * (factor - 1).clamp(min=0) * (fused.sum(dim=1, keepdim=True) > 0)
    return together / together.sum(dim=1, keepdim=True).clamp(min=1e-9)


def _levels(height: Tensor) -> Tensor:
    """Heights [P, 1] in metres as how near they are to each of _HEIGHTS_M, linearly between them, [P, len]."""
    at = torch.tensor(_HEIGHTS_M, device=height.device)
    low = torch.cat([at[:1] - 0.2, at[:-1]])
    high = torch.cat([at[1:], at[-1:] + 0.5])
    rising, falling = (height - low) / (at - low), (high - height) / (high - at)
    return torch.minimum(rising, falling).clamp(min=0)
