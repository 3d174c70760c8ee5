"""Marching cubes: the table's laws, shapes known by hand, and no seams between blocks."""

from __future__ import annotations

import numpy as np
import torch

from sem_field_ros.geometry.marching_cubes import EDGES, case_table, marching_cubes, vertex_normals


def _mesh(values: torch.Tensor):
    mesh = marching_cubes(values[None], torch.ones_like(values[None], dtype=torch.bool))
    vertices = mesh.lattice.float()
    vertices[torch.arange(len(vertices)), mesh.axis] += mesh.fraction
    return vertices, mesh.faces


def _lattice(n: int) -> torch.Tensor:
    z, y, x = torch.meshgrid(*[torch.arange(n).float()] * 3, indexing="ij")
    return torch.stack([x, y, z], dim=-1)


def _area(vertices, faces):
    c = vertices[faces]
    return torch.linalg.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]).norm(dim=1).sum() / 2


def test_every_case_uses_exactly_the_crossed_edges():
    table, counts = case_table()
    for case in range(256):
        crossed = {e for e, (c, axis) in enumerate(EDGES) if (case >> c & 1) != (case >> (c | 1 << axis) & 1)}
        assert {int(e) for e in table[case, : counts[case]].flatten()} == crossed


def test_single_inside_corner_is_one_outward_triangle():
    values = torch.ones(2, 2, 2)
    values[0, 0, 0] = -1
    vertices, faces = _mesh(values)
    assert sorted(vertices.tolist()) == [[0, 0, 0.5], [0, 0.5, 0], [0.5, 0, 0]]
    assert faces.shape == (1, 3)
    assert (vertex_normals(vertices, faces) > 0.57).all()  # towards +x +y +z, where the values are positive


def test_plane_is_flat_and_faces_the_positive_side():
    values = _lattice(6)[..., 2] - 2.25
    vertices, faces = _mesh(values)
    np.testing.assert_allclose(vertices[:, 2], 2.25, atol=1e-6)
    assert abs(float(_area(vertices, faces)) - 25) < 1e-4
    assert torch.allclose(vertex_normals(vertices, faces), torch.tensor([0.0, 0.0, 1.0]), atol=1e-5)


def test_sphere_is_closed_and_has_the_right_area():
    values = (_lattice(24) - 11.5).norm(dim=-1) - 8
    vertices, faces = _mesh(values)
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {(int(a), int(b)) for a, b in edges}
    assert len(directed) == len(edges)  # consistently oriented ...
    assert all((b, a) in directed for a, b in directed)  # ... and watertight
    assert abs(float(_area(vertices, faces)) / (4 * np.pi * 64) - 1) < 0.02


def test_random_fields_are_watertight_away_from_the_border():
    values = torch.randn(9, 9, 9, generator=torch.Generator().manual_seed(0))
    values[[0, -1]] = values[:, [0, -1]] = values[:, :, [0, -1]] = 1.0
    _, faces = _mesh(values)
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    balance: dict[tuple[int, int], int] = {}
    for a, b in edges:
        balance[(min(a, b), max(a, b))] = balance.get((min(a, b), max(a, b)), 0) + (1 if a < b else -1)
    assert set(balance.values()) == {0}


def test_invalid_samples_make_holes_not_walls():
    values = _lattice(6)[..., 2] - 2.25
    valid = torch.ones_like(values, dtype=torch.bool)
    valid[:, :, 3:] = False
    mesh = marching_cubes(values[None], valid[None])
    assert int(mesh.lattice[:, 0].max()) == 2
    assert len(marching_cubes(values[None], torch.zeros_like(valid)[None]).faces) == 0
