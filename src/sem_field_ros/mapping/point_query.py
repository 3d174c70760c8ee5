"""Answers at 3-D points: trilinear signed distance, label of the nearest surface voxel in reach; rows in free space."""

from __future__ import annotations

import torch
from torch import Tensor

from sem_field_ros.geometry.tsdf import TsdfVolume, unique_keys
from sem_field_ros.geometry.voxel_names import blocks_of, voxel_names
from sem_field_ros.mapping.votes import VoteTable
from sem_field_ros.surface import PointSamples

_REACH = 2  # voxels; points farther from the surface have no label
_GONE = 2.0  # voxels before any surface: the object was removed; a surface that only shifts is nearer
_CHUNK = 4096


def query_points(volume: TsdfVolume, votes: VoteTable, points: Tensor) -> PointSamples:
    """Answer for points [N, 3] float32 (world, metres); not finite points are unobserved."""
    parts = [_query_chunk(volume, votes, part) for part in points.reshape(-1, 3).split(_CHUNK)]
    sdf, labels, confidence, probabilities = (torch.cat(column) for column in zip(*parts, strict=True))
    return PointSamples(labels.numpy(), confidence.numpy(), probabilities.numpy(), sdf.numpy())


def signed_distance(volume: TsdfVolume, points: Tensor) -> Tensor:
    """Trilinear signed distance [N] metres at points [N, 3] float32 (world, metres), NaN where unobserved."""
    parts = [_signed_distance(volume, part / volume.config.voxel_size_m) for part in points.split(_CHUNK)]
    return torch.cat(parts) if parts else points.new_zeros(0)


def rows_in_free_space(volume: TsdfVolume, votes: VoteTable, keys: Tensor) -> Tensor:
    """Rows [n] of the blocks `keys` [m, 3] that were surface and now lie well in free space."""
    slots = volume.find(keys)
    rows = votes.rows_in(slots[slots >= 0])
    truncation = volume.config.truncation_voxels
    return rows[volume.tsdf.reshape(-1)[votes.voxel[rows]] * truncation >= min(_GONE, 0.75 * truncation)]


def _query_chunk(volume: TsdfVolume, votes: VoteTable, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    finite = points.isfinite().all(dim=1) & (points.abs() < 1e6).all(dim=1)
    lattice = torch.where(finite[:, None], points, 0) / volume.config.voxel_size_m
    sdf = torch.where(finite, _signed_distance(volume, lattice), torch.nan)
    row = torch.where(finite, _nearest_row(volume, votes, lattice), -1)
    if len(votes.voxel) == 0:  # a map without any surface
        nothing = torch.zeros(len(points))
        return sdf, row.to(torch.int16), nothing, torch.zeros(len(points), votes.classes)
    found = row >= 0
    probabilities = torch.where(found[:, None], votes.probabilities[row].cpu(), 0.0)
    confidence = torch.where(found, votes.confidence[row].cpu(), 0.0)
    return sdf, votes.labels(row.to(votes.device)).cpu(), confidence, probabilities


def _voxels(volume: TsdfVolume, lattice: Tensor) -> Tensor:
    """Integer lattice positions [..., 3] -> voxel names [...] (slot * 512 + index), -1 = no block."""
    block, inner = blocks_of(lattice)
    unique, back = unique_keys(block.reshape(-1, 3))
    slot = volume.find(unique)[back].reshape(lattice.shape[:-1])
    return torch.where(slot >= 0, voxel_names(slot, inner), -1)


def _signed_distance(volume: TsdfVolume, lattice: Tensor) -> Tensor:
    low = lattice.floor()
    t = lattice - low
    corner = torch.tensor([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)])
    voxel = _voxels(volume, low.long()[:, None] + corner)
    at = voxel.clamp(min=0).to(volume.tsdf.device)
    value = volume.tsdf.reshape(-1)[at].cpu()
    observed = (voxel >= 0) & (volume.weight.reshape(-1)[at].cpu() > 0)
    weight = torch.where(corner.bool(), t[:, None], 1 - t[:, None]).prod(dim=-1)
    needed = observed | (weight < 1e-6)
    distance = (value * weight).sum(dim=1) * volume.config.truncation_m
    return torch.where(needed.all(dim=1), distance, torch.nan)


def _nearest_row(volume: TsdfVolume, votes: VoteTable, lattice: Tensor) -> Tensor:
    """Row of the nearest labelled surface voxel, -1 = none within reach."""
    if len(votes) == 0:
        return torch.full((len(lattice),), -1)
    reach = torch.arange(-_REACH, _REACH + 1)
    offsets = torch.cartesian_prod(reach, reach, reach)
    voxel = _voxels(volume, lattice.round().long()[:, None] + offsets)
    row = torch.where(voxel >= 0, votes.row_of_voxel[voxel.clamp(min=0).to(votes.device)].cpu().long(), -1)
    labelled = (row >= 0) & (votes.confidence[row].cpu() > 0)
    away = (votes.position[row].cpu() / volume.config.voxel_size_m - lattice[:, None]).norm(dim=2)
    away = torch.where(labelled, away, torch.inf)
    best, which = away.min(dim=1)
    return torch.where(best <= _REACH, row.gather(1, which[:, None])[:, 0], -1)
