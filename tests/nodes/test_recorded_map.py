"""A published map put together again: two triangles known by hand, and a real map's blocks."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.nodes.recorder.recorded_map import CloudPoints, RecordedMesh, coverage, recorded_surface

LABELS = LabelSet("two", (LabelClass(4, "a", (255, 0, 0)), LabelClass(9, "b", (0, 0, 255))))
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
CORNERS = SQUARE[[0, 1, 2, 0, 2, 3]]


def cloud(points: np.ndarray, ids: list[int]) -> CloudPoints:
    n = len(points)
    colors = np.arange(3 * n, dtype=np.uint8).reshape(n, 3)
    return CloudPoints(points, colors, np.array(ids, np.uint32), np.linspace(0.1, 1, n, dtype=np.float32))


def test_triangles_are_welded_and_labelled_by_the_cloud() -> None:
    given = cloud(SQUARE, [4, 9, 255, 77])
    surface = recorded_surface(CORNERS, given, LABELS)
    assert len(surface) == 4
    assert surface.owned.all()
    order = [int(np.flatnonzero((surface.vertices == p).all(axis=1))[0]) for p in SQUARE]
    assert surface.labels[order].tolist() == [0, 1, -1, -1]  # 77 is no id of the set
    np.testing.assert_array_equal(surface.colors[order], given.colors)
    np.testing.assert_array_equal(surface.confidence[order], given.confidence)
    np.testing.assert_array_equal(surface.vertices[surface.faces.reshape(-1)], CORNERS)
    np.testing.assert_array_equal(surface.normals, np.tile([0, 0, 1], (4, 1)))


def test_cloud_points_without_a_face_stay_points() -> None:
    lone = np.array([[5, 5, 5]], np.float32)
    surface = recorded_surface(CORNERS, cloud(np.concatenate([SQUARE, lone]), [4, 4, 4, 4, 9]), LABELS)
    assert len(surface.cloud()) == 5
    at = (surface.vertices == 5).all(axis=1)
    assert surface.labels[at].tolist() == [1]
    assert not surface.normals[at].any()


def test_vertices_that_the_cloud_lacks_take_a_near_point_or_stay_unlabelled() -> None:
    near = SQUARE[:2] + np.float32([0.03, 0, 0])
    surface = recorded_surface(CORNERS, cloud(near, [4, 9]), LABELS)
    rows = zip(map(tuple, surface.vertices.tolist()), surface.labels.tolist(), surface.owned.tolist(), strict=True)
    by_vertex = {vertex: (label, owned) for vertex, label, owned in rows}
    assert by_vertex[0.0, 0.0, 0.0] == (0, False)
    assert by_vertex[1.0, 0.0, 0.0] == (1, False)
    assert by_vertex[0.0, 1.0, 0.0] == (-1, False)
    assert surface.owned.sum() == 2


def test_degenerate_triangles_vanish_and_minus_zero_is_zero() -> None:
    corners = np.concatenate([CORNERS, SQUARE[[0, 0, 1]]])
    corners[0] = -corners[0]
    surface = recorded_surface(corners, cloud(SQUARE, [4] * 4), LABELS)
    assert (len(surface), len(surface.faces)) == (4, 2)


def test_blocks_come_are_replaced_and_go() -> None:
    mesh = RecordedMesh()
    mesh.update({1: CORNERS, 2: CORNERS[:3]}, [])
    assert (len(mesh), mesh.triangles) == (2, 3)
    mesh.update({1: CORNERS[:3]}, [2, 99])
    assert (len(mesh), mesh.triangles) == (1, 1)
    mesh.update({7: CORNERS}, [], clear=True)
    np.testing.assert_array_equal(mesh.corners(), CORNERS)
    mesh.update({}, [7])
    assert mesh.corners().shape == (0, 3)


@pytest.mark.parametrize(("corners", "share"), [(CORNERS, 1.0), (CORNERS[:3], 0.75), (CORNERS[:0], 0.0)])
def test_coverage_is_the_share_of_cloud_points_on_the_mesh(corners: np.ndarray, share: float) -> None:
    assert coverage(corners, cloud(SQUARE, [4] * 4)) == share


def test_nothing_recorded_is_an_empty_surface() -> None:
    assert coverage(CORNERS[:0], CloudPoints.empty()) == 1
    assert len(recorded_surface(CORNERS[:0], CloudPoints.empty(), LABELS)) == 0
