"""Chamfer distance and F-score: values known by hand, brute force, and samples that are spread evenly."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.evaluation.geometry_metrics import sample_mesh, surface_scores


def test_known_by_hand():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0.3]])
    truth = np.array([[0.0, 0, 0.1], [1, 0, 0]])
    scores = surface_scores(points, truth, thresholds_m=(0.05, 0.2))
    far = np.sqrt(1 + 0.3**2)
    assert scores.accuracy == pytest.approx((0.1 + 0 + far) / 3)
    assert scores.completeness == pytest.approx((0.1 + 0) / 2)
    assert scores.chamfer_l1 == pytest.approx((scores.accuracy + scores.completeness) / 2)
    assert scores.chamfer_l2 == pytest.approx(((0.01 + far**2) / 3 + 0.01 / 2) / 2)
    assert scores.precision == pytest.approx({0.05: 1 / 3, 0.2: 2 / 3})
    assert scores.recall == pytest.approx({0.05: 1 / 2, 0.2: 1.0})
    assert scores.fscore == pytest.approx({0.05: 2 * (1 / 3) * (1 / 2) / (5 / 6), 0.2: 0.8})


def test_two_parallel_squares_are_their_distance_apart():
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    a = sample_mesh(square, faces, 20_000, seed=1)
    b = sample_mesh(square + (0, 0, 0.1), faces, 20_000, seed=2)
    scores = surface_scores(a, b, thresholds_m=(0.09, 0.12))
    assert scores.chamfer_l1 == pytest.approx(0.1, rel=0.01) and scores.chamfer_l2 == pytest.approx(0.01, rel=0.02)
    assert scores.fscore == {0.09: 0.0, 0.12: 1.0}


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
def test_same_as_all_pairs(seed, n, m):
    rng = np.random.default_rng(seed)
    points, truth = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    pairs = np.linalg.norm(points[:, None] - truth[None], axis=2)
    scores = surface_scores(points, truth, thresholds_m=(0.5,))
    assert scores.accuracy == pytest.approx(pairs.min(1).mean()) and scores.completeness == pytest.approx(
        pairs.min(0).mean()
    )
    swapped = surface_scores(truth, points, thresholds_m=(0.5,))
    assert swapped.chamfer_l1 == pytest.approx(scores.chamfer_l1) and swapped.fscore == pytest.approx(scores.fscore)


def test_nothing_to_compare():
    assert surface_scores(np.zeros((0, 3)), np.zeros((2, 3))) is None
    assert surface_scores(np.zeros((2, 3)), np.zeros((0, 3))) is None


def test_samples_lie_on_the_mesh_and_follow_its_area():
    mesh = trimesh.creation.box(extents=(3.0, 1.0, 0.5))
    points = sample_mesh(mesh.vertices, mesh.faces, 5000)
    on_a_face = np.isclose(np.abs(points), np.array([1.5, 0.5, 0.25]), atol=1e-9).any(axis=1)
    assert len(points) == 5000 and on_a_face.all() and (np.abs(points) <= np.array([1.5, 0.5, 0.25]) + 1e-9).all()
    top = np.isclose(np.abs(points[:, 2]), 0.25).mean()
    assert top == pytest.approx(2 * 3 * 1 / mesh.area, abs=0.01)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.03)
    np.testing.assert_array_equal(points, sample_mesh(mesh.vertices, mesh.faces, 5000))  # same seed, same points


def test_a_mesh_without_area_has_no_samples():
    assert sample_mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]), 10).shape == (0, 3)
    assert sample_mesh(np.zeros((0, 3)), np.zeros((0, 3), int), 10).shape == (0, 3)
