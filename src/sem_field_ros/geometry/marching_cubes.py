"""Marching cubes (Lorensen and Cline 1987) over many small blocks at once, without seams between them.

The 256-case table is computed: on every cube face each run of inside corners is cut off by one segment, so two cubes
that share a face always agree; segments chain into loops, loops become triangle fans.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

# Corner c of a cell has offset (c & 1, c >> 1 & 1, c >> 2 & 1) in x, y, z. Edge e goes from corner EDGES[e][0] along
# axis EDGES[e][1].
EDGES = [(corner, axis) for axis in range(3) for corner in range(8) if not corner >> axis & 1]
_EDGE_OF = {(a, a | 1 << axis): e for e, (a, axis) in enumerate(EDGES)}


def _faces() -> list[list[int]]:
    """The six faces as corner cycles, counter-clockwise seen from outside the cube."""
    faces = []
    for axis in range(3):
        u, v = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        cycle = [0, u, u | v, v]  # counter-clockwise around +axis
        faces.append([c | 1 << axis for c in cycle])
        faces.append(cycle[::-1])
    return faces


def _case_triangles(case: int) -> list[tuple[int, int, int]]:
    """Triangles of one case as edge triples; counter-clockwise seen from the positive (outside) side."""
    following: dict[int, int] = {}
    for cycle in _faces():
        inside = [bool(case >> c & 1) for c in cycle]
        for i in range(4):
            if not inside[i] and inside[(i + 1) % 4]:  # a run of inside corners begins here ...
                j = (i + 1) % 4
                while inside[(j + 1) % 4]:
                    j = (j + 1) % 4
                enter, leave = _edge(cycle, i), _edge(cycle, j)  # ... and ends there: cut it off
                following[enter] = leave
    triangles = []
    while following:
        start, edge = next(iter(following.items()))
        del following[start]
        loop = [start]
        while edge != start:
            loop.append(edge)
            edge = following.pop(edge)
        triangles += [(loop[0], loop[k], loop[k + 1]) for k in range(1, len(loop) - 1)]
    return triangles


def _edge(cycle: list[int], i: int) -> int:
    a, b = cycle[i], cycle[(i + 1) % 4]
    return _EDGE_OF[(min(a, b), max(a, b))]


@lru_cache(maxsize=1)
def case_table() -> tuple[Tensor, Tensor]:
    """Return (triangle edges [256, T, 3] int64, triangle counts [256] int64)."""
    cases = [_case_triangles(c) for c in range(256)]
    counts = torch.tensor([len(c) for c in cases])
    table = torch.zeros(256, int(counts.max()), 3, dtype=torch.int64)
    for c, triangles in enumerate(cases):
        if triangles:
            table[c, : len(triangles)] = torch.tensor(triangles)
    return table, counts


@dataclass(frozen=True)
class BlockMesh:
    """Zero crossings of B grids of n^3 samples, each vertex once per grid.

    grid   [V] int64  which grid                 lattice  [V, 3] int64  sample (x, y, z) at the edge's lower end
    axis   [V] int64  0 x, 1 y, 2 z              fraction [V] float32   where on the edge, 0..1
    faces  [F, 3] int64 into the vertices, counter-clockwise seen from the positive side
    """

    grid: Tensor
    lattice: Tensor
    axis: Tensor
    fraction: Tensor
    faces: Tensor


def marching_cubes(values: Tensor, valid: Tensor) -> BlockMesh:
    """Extract the zero level of `values` [B, n, n, n] (indexed z, y, x), only in cells whose 8 samples are `valid`."""
    n = values.shape[1]
    device = values.device
    inside = (values < 0).to(torch.uint8)
    case = torch.zeros_like(inside[:, :-1, :-1, :-1])
    usable = torch.ones_like(case, dtype=torch.bool)
    for corner in range(8):
        z, y, x = (slice(o, n - 1 + o) for o in (corner >> 2 & 1, corner >> 1 & 1, corner & 1))
        case |= inside[:, z, y, x] << corner
        usable &= valid[:, z, y, x]
    usable &= (case > 0) & (case < 255)
    cells = usable.flatten().nonzero()[:, 0]
    case = case.flatten()[cells].long()
    m = n - 1
    base = ((cells // m**3) * n + cells // m**2 % m) * n * n + cells // m % m * n + cells % m  # flat sample index

    table, counts = (t.to(device) for t in case_table())
    cell_of = torch.repeat_interleave(torch.arange(len(cells), device=device), counts[case])
    first = torch.cumsum(counts[case], 0) - counts[case]
    edges = table[case[cell_of], torch.arange(len(cell_of), device=device) - first[cell_of]]  # [F, 3]
    start = torch.tensor([c for c, _ in EDGES], device=device)
    offset = (start >> 2 & 1) * n * n + (start >> 1 & 1) * n + (start & 1)
    axis_of = torch.tensor([a for _, a in EDGES], device=device)
    key = (base[cell_of, None] + offset[edges]) * 3 + axis_of[edges]  # names each lattice edge once

    used = torch.zeros(values.numel() * 3, dtype=torch.bool, device=device)
    used[key.flatten()] = True
    names = used.nonzero()[:, 0]
    index = torch.empty(values.numel() * 3, dtype=torch.int32, device=device)
    index[names] = torch.arange(len(names), dtype=torch.int32, device=device)

    sample, axis = names // 3, names % 3
    step = torch.tensor([1, n, n * n], device=device)[axis]
    flat = values.reshape(-1)
    a, b = flat[sample], flat[sample + step]
    lattice = torch.stack([sample % n, sample // n % n, sample // n**2 % n], dim=1)
    return BlockMesh(sample // n**3, lattice, axis, a / (a - b), index[key].long())


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Area-weighted unit normals [V, 3] of a mesh; zero for a vertex without a face of positive area."""
    corners = vertices[faces]
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = torch.zeros_like(vertices)
    for k in range(3):
        total.index_add_(0, faces[:, k], normal)
    return torch.nn.functional.normalize(total, dim=1, eps=1e-12)
