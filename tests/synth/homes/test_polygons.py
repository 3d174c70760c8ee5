"""Polygons cut into triangles cover exactly themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sem_field_synth.homes.polygons import triangulate


def area(points: np.ndarray) -> np.ndarray:
    """Signed area vector of polygons [..., n, 3]."""
    return np.cross(points, np.roll(points, -1, axis=-2)).sum(axis=-2) / 2


@given(st.lists(st.lists(st.floats(0.2, 1.0), min_size=3, max_size=9), min_size=1, max_size=4), st.integers(0, 99))
def test_star_shaped_polygons_in_any_plane(radii: list[list[float]], seed: int) -> None:
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    shapes = []
    for radius in radii:
        angle = np.arange(len(radius)) * 2 * np.pi / len(radius)
        flat = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.ones(len(radius))], axis=1)
        shapes.append(flat @ rotation.T)
    points, counts = np.concatenate(shapes), np.array([len(r) for r in radii])
    corners = np.arange(len(points))
    places, owner = triangulate(points, corners, counts)
    assert np.bincount(owner, minlength=len(radii)).tolist() == (counts - 2).tolist()
    for number, shape in enumerate(shapes):
        parts = area(points[places[owner == number]])
        assert np.allclose(parts.sum(0), area(shape))
        assert np.linalg.norm(parts, axis=1).sum() <= np.linalg.norm(area(shape)) + 1e-9, "no overlaps"


def test_an_l_is_not_cut_across_its_notch() -> None:
    shape = np.array([[0, 0, 0], [2, 0, 0], [2, 1, 0], [1, 1, 0], [1, 2, 0], [0, 2, 0]], float)
    places, _ = triangulate(shape[::-1], np.arange(6), np.array([6]))
    assert np.abs(area(shape[::-1][places])[:, 2]).sum() == 3


def test_lines_and_nothing() -> None:
    places, owner = triangulate(np.zeros((2, 3)), np.array([0, 1]), np.array([2]))
    assert places.shape == (0, 3) and owner.shape == (0,)
