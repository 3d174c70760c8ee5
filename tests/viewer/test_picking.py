"""Rays against points and triangles, with hits known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.viewer.mesh_chunks import ChunkMesh
from sem_field_ros.viewer.picking import Hit, Ray, nearest, pick_mesh, pick_point

DOWN = Ray.through((0.2, 0.1, 5.0), (0, 0, -2.0))
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)


def square(z: float = 0.0, faces: tuple[tuple[int, int, int], ...] = ((0, 1, 2), (0, 2, 3))) -> ChunkMesh:
    """The unit square at height z; it faces up unless its faces are turned."""
    return ChunkMesh(SQUARE + np.float32([0, 0, z]), np.zeros((4, 3), np.uint8), np.array(faces, np.int32))


def test_a_direction_of_any_length_becomes_a_unit_vector() -> None:
    assert DOWN.direction.tolist() == [0, 0, -1]


def test_of_two_points_on_the_ray_the_nearer_one_is_hit() -> None:
    points = np.float32([[0.2, 0.1, 1.0], [0.2, 0.1, 3.0], [0.2, 0.1, 6.0], [0.9, 0.1, 4.5]])  # the third is behind
    hit = pick_point(DOWN, points, 0.01)
    assert hit is not None and hit.position == pytest.approx([0.2, 0.1, 3.0]) and hit.distance == pytest.approx(2.0)


def test_a_point_is_hit_as_far_as_it_is_drawn_and_a_few_pixels_beside_it() -> None:
    point = np.float32([[0.25, 0.1, 4.0]])  # 5 cm beside the ray, 1 m away
    assert pick_point(DOWN, point, 0.06) is not None
    assert pick_point(DOWN, point, 0.001) is None
    far = np.float32([[0.25, 0.1, -5.0]])  # 10 m away the same 5 cm are a third of a degree
    assert pick_point(DOWN, far, 0.001) is not None


def test_on_a_surface_the_point_nearest_to_the_ray_is_hit_not_the_one_nearest_to_the_viewer() -> None:
    slope = np.float32([[0.2 + 0.01 * i, 0.1, 0.001 * i] for i in range(-3, 4)])  # the last is a little nearer
    hit = pick_point(DOWN, slope, 0.03)
    assert hit is not None and hit.position == pytest.approx([0.2, 0.1, 0.0])


def test_an_empty_cloud_and_a_ray_that_misses_hit_nothing() -> None:
    assert pick_point(DOWN, np.zeros((0, 3), np.float32), 0.1) is None
    assert pick_point(DOWN, np.float32([[3, 3, 0]]), 0.1) is None
    assert pick_mesh(DOWN, []) is None
    assert pick_mesh(Ray.through((2, 2, 5), (0, 0, -1)), [square()]) is None
    assert pick_mesh(Ray.through((0.2, 0.1, -5), (0, 0, -1)), [square()]) is None  # it lies behind


def test_a_triangle_gives_its_corner_nearest_to_the_hit() -> None:
    hit = pick_mesh(DOWN, [square(-1.0), square(2.0)])
    assert hit is not None and hit.position.tolist() == [0, 0, 2] and hit.distance == pytest.approx(3.0)
    oblique = pick_mesh(Ray.through((0.9, 0.8, 1.0), (0, 0.1, -1.0)), [square()])
    assert oblique is not None and oblique.position.tolist() == [1, 1, 0]
    assert oblique.distance == pytest.approx(np.hypot(1, 0.1))


def test_a_click_passes_through_triangles_seen_from_behind() -> None:
    turned = square(3.0, ((0, 2, 1), (0, 3, 2)))
    hit = pick_mesh(DOWN, [turned, square()])
    assert hit is not None and hit.position[2] == 0


def test_of_two_hits_the_nearer_hides_the_other() -> None:
    near, far = Hit(np.zeros(3), 1.0), Hit(np.ones(3), 2.0)
    assert nearest(near, far) is near and nearest(far, near) is near
    assert nearest(None, far) is far and nearest(None, None) is None


@given(st.integers(0, 10_000))
def test_a_ray_at_a_point_of_a_random_mesh_hits_no_later_than_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-1, 1, (30, 3)).astype(np.float32)
    mesh = ChunkMesh(vertices, np.zeros((30, 3), np.uint8), rng.permutation(30).reshape(10, 3).astype(np.int32))
    corners = vertices[mesh.faces[0]].astype(np.float64)
    target = rng.dirichlet((1, 1, 1)) @ corners
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    origin = target + 5 * normal / np.linalg.norm(normal)
    hit = pick_mesh(Ray.through(origin, target - origin), [mesh])
    assert hit is not None and hit.distance <= 5 + 1e-6
    assert np.abs(vertices - hit.position).max(axis=1).min() < 1e-6
