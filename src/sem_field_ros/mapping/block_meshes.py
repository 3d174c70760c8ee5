"""The mesh of every block, re-extracted when its voxels change; each vertex refers to the voxel with its label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.geometry.marching_cubes import BlockMesh, marching_cubes, vertex_normals
from sem_field_ros.geometry.tsdf import TsdfVolume, unique_keys
from sem_field_ros.geometry.voxel_names import BLOCK, voxel_names

# The blocks that share samples with a block: itself and its neighbours towards +x, +y, +z (index x + 2 y + 4 z).
_CORNERS = torch.tensor([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)], dtype=torch.int32)
_SIDE = BLOCK + 1
_CHUNK = 512  # blocks at once: bounds the memory of extraction


@dataclass(frozen=True)
class BlockGeometry:
    """One block's mesh. Fields as in Surface; `voxel` [V] int64: the voxel nearest to each vertex."""

    vertices: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    owned: np.ndarray
    faces: np.ndarray
    voxel: np.ndarray


@dataclass(frozen=True)
class HostVoxels:
    """Surface voxels found by an extraction, each once: voxel [n] int64, position and normal [n, 3] on the surface."""

    voxel: Tensor
    position: Tensor
    normal: Tensor


def with_lower_neighbours(volume: TsdfVolume, keys: Tensor) -> Tensor:
    """Keys of the existing blocks whose mesh uses samples of the given blocks, [n, 3] int32."""
    near, _ = unique_keys((keys[:, None] - _CORNERS).reshape(-1, 3))
    return near[volume.find(near) >= 0]


def with_upper_neighbours(keys: Tensor) -> Tensor:
    """Keys of the blocks whose voxels carry labels of the given blocks' meshes, [n, 3] int32, existing or not."""
    return unique_keys((keys[:, None] + _CORNERS).reshape(-1, 3))[0]


def extract_blocks(
    volume: TsdfVolume, keys: Tensor, min_weight: float
) -> tuple[list[BlockGeometry | None], HostVoxels]:
    """Mesh the blocks `keys` [n, 3]; None for a block without surface."""
    geometries: list[BlockGeometry | None] = []
    hosts = []
    for part in keys.split(_CHUNK):
        blocks, host = _extract_chunk(volume, part, min_weight)
        geometries += blocks
        hosts.append(host)
    voxel = torch.cat([h.voxel for h in hosts]) if hosts else torch.zeros(0, dtype=torch.int64)
    position = torch.cat([h.position for h in hosts]) if hosts else torch.zeros(0, 3)
    normal = torch.cat([h.normal for h in hosts]) if hosts else torch.zeros(0, 3)
    return geometries, _unique_hosts(voxel, position, normal)


def _extract_chunk(
    volume: TsdfVolume, keys: Tensor, min_weight: float
) -> tuple[list[BlockGeometry | None], HostVoxels]:
    near = volume.find((keys[:, None] + _CORNERS).reshape(-1, 3)).reshape(-1, 8).to(volume.tsdf.device)  # [B, 8]
    mesh = marching_cubes(_grid(volume.tsdf, near, 1.0), _grid(volume.weight, near, 0.0) >= min_weight)

    lower = _voxel(mesh.grid, mesh.lattice, near)
    upper_lattice = mesh.lattice.clone()
    upper_lattice[torch.arange(len(mesh.axis), device=mesh.axis.device), mesh.axis] += 1
    upper = _voxel(mesh.grid, upper_lattice, near)
    color = volume.color.reshape(-1, 3)
    rgb = torch.lerp(color[lower], color[upper], mesh.fraction[:, None]).round().clamp(0, 255).to(torch.uint8)

    keys = keys.to(mesh.grid.device)
    lattice = (keys[mesh.grid].long() * BLOCK + mesh.lattice).float()
    lattice[torch.arange(len(lattice), device=lattice.device), mesh.axis] += mesh.fraction
    vertices = lattice * volume.config.voxel_size_m
    normals = vertex_normals(vertices, mesh.faces)
    voxel = torch.where(mesh.fraction < 0.5, lower, upper)
    owned = (mesh.lattice < BLOCK).all(dim=1)
    return _split(len(keys), mesh, vertices, normals, rgb, owned, voxel), HostVoxels(voxel, vertices, normals)


def _grid(values: Tensor, near: Tensor, missing: float) -> Tensor:
    """Samples [B, 9, 9, 9] (z, y, x) of blocks with their upper border; `missing` if a neighbour does not exist."""
    grid = torch.full((len(near), _SIDE, _SIDE, _SIDE), missing, device=values.device)
    for corner in range(8):
        x, y, z = ((slice(BLOCK, _SIDE), slice(0, 1)) if corner >> s & 1 else (slice(0, BLOCK),) * 2 for s in range(3))
        slots = near[:, corner]
        block = values.view(-1, BLOCK, BLOCK, BLOCK)[slots.clamp(min=0), z[1], y[1], x[1]]
        grid[:, z[0], y[0], x[0]] = torch.where((slots >= 0)[:, None, None, None], block, missing)
    return grid


def _voxel(grid: Tensor, lattice: Tensor, near: Tensor) -> Tensor:
    """Name (slot * 512 + index) of samples `lattice` [V, 3] of blocks `grid` [V]; they may lie in a neighbour."""
    over = (lattice >= BLOCK).long()
    inner = lattice - over * BLOCK
    slot = near[grid, over[:, 0] + 2 * over[:, 1] + 4 * over[:, 2]]
    return voxel_names(slot, inner)


def _split(
    blocks: int, mesh: BlockMesh, vertices: Tensor, normals: Tensor, rgb: Tensor, owned: Tensor, voxel: Tensor
) -> list[BlockGeometry | None]:
    """Cut one batch into blocks; vertices and faces come sorted by block."""
    vertex_end = torch.bincount(mesh.grid, minlength=blocks).cumsum(0).cpu().numpy()
    face_grid = mesh.grid[mesh.faces[:, 0]] if len(mesh.faces) else mesh.grid[:0]
    face_end = torch.bincount(face_grid, minlength=blocks).cumsum(0).cpu().numpy()
    v, n, c, o, x, f = (t.cpu().numpy() for t in (vertices, normals, rgb, owned, voxel, mesh.faces.int()))
    out: list[BlockGeometry | None] = []
    v0 = f0 = 0
    for v1, f1 in zip(vertex_end.tolist(), face_end.tolist(), strict=True):
        s = slice(v0, v1)
        # copies: a view would keep the whole batch alive as long as one of its blocks
        out.append(
            BlockGeometry(v[s].copy(), n[s].copy(), c[s].copy(), o[s].copy(), f[f0:f1] - v0, x[s].copy())
            if v1 > v0
            else None
        )
        v0, f0 = v1, f1
    return out


def _unique_hosts(voxel: Tensor, position: Tensor, normal: Tensor) -> HostVoxels:
    """Keep one surface point a voxel (the last one found)."""
    if len(voxel) == 0:
        return HostVoxels(voxel, position, normal)
    order = torch.argsort(voxel, stable=True)
    voxel = voxel[order]
    last = torch.ones_like(voxel, dtype=torch.bool)
    last[:-1] = voxel[1:] != voxel[:-1]
    return HostVoxels(voxel[last], position[order][last], normal[order][last])
