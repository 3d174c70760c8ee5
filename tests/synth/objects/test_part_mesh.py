"""Part meshes: a chair of boxes whose labels, areas and places are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.errors import LabelSetError
from sem_field_ros.labels import load_label_set
from sem_field_synth.objects.part_mesh import RADIUS, PartBuilder, PartMesh, corner_normals
from sem_field_synth.objects.solids import box
from sem_field_synth.objects.surfaces import Surface

LABELS = load_label_set("chair_parts")


def box_chair() -> PartMesh:
    """Seat 0.4 x 0.4 x 0.1 with its top at 0.5, a back of 0.4 x 0.1 x 0.5 on it, one leg under the middle."""
    build = PartBuilder(LABELS)
    wood = Surface((0.6, 0.4, 0.2))
    build.add("seat", wood, box((0.4, 0.4, 0.1), (0, 0, 0.45)))
    build.add("back", Surface((0.2, 0.2, 0.8)), box((0.4, 0.1, 0.5), (0, 0.15, 0.75)))
    build.add("leg", wood, box((0.1, 0.1, 0.4), (0, 0, 0.2)))
    return build.build()


def area(mesh: PartMesh) -> np.ndarray:
    edges = mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0]
    return np.linalg.norm(np.cross(*edges), axis=1) / 2


def test_parts_have_the_area_of_their_boxes() -> None:
    mesh = box_chair()
    by_part = {name: area(mesh)[mesh.part == LABELS.index_of(name)].sum() for name in ("seat", "back", "leg")}
    assert by_part["seat"] == pytest.approx(2 * 0.16 + 4 * 0.04, rel=2e-3)
    assert by_part["back"] == pytest.approx(2 * (0.2 + 0.05 + 0.04), rel=2e-3)
    assert by_part["leg"] == pytest.approx(2 * 0.01 + 4 * 0.04, rel=2e-3)
    assert mesh.size == pytest.approx([0.4, 0.4, 1.0])
    assert len(mesh.surfaces) == 2


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(LabelSetError, match="no class 'wing'"):
        PartBuilder(LABELS).add("wing", Surface((0, 0, 0)), box((1, 1, 1), (0, 0, 0)))


def test_normalising_centres_scales_and_remembers_the_size() -> None:
    mesh = box_chair()
    normal = mesh.normalised()
    points = normal.corners.reshape(-1, 3)
    assert points.min(0) == pytest.approx(-points.max(0))
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(RADIUS)
    assert normal.size == pytest.approx(mesh.size)
    assert normal.metres == pytest.approx(np.linalg.norm(mesh.size) / (2 * RADIUS), rel=5e-3)


def test_refining_shortens_edges_and_keeps_area_and_labels() -> None:
    mesh = box_chair()
    fine = mesh.refined(0.05)
    edges = np.linalg.norm(fine.corners - np.roll(fine.corners, -1, axis=1), axis=2)
    assert edges.max() <= 0.05 < np.linalg.norm(mesh.corners - np.roll(mesh.corners, -1, axis=1), axis=2).max()
    for part in np.unique(mesh.part):
        assert area(fine)[fine.part == part].sum() == pytest.approx(area(mesh)[mesh.part == part].sum())
    assert np.linalg.norm(fine.normals, axis=2) == pytest.approx(1, abs=1e-5)


def test_cutting_leaves_no_triangle_across_the_plane() -> None:
    mesh = box_chair()
    cut = mesh.cut(2, 0.63)
    z = cut.corners[:, :, 2] - 0.63
    assert ((z >= -1e-9).all(1) | (z <= 1e-9).all(1)).all()
    assert area(cut).sum() == pytest.approx(area(mesh).sum())
    above = area(cut)[(z >= -1e-9).all(1)].sum()
    assert above == pytest.approx(2 * (0.4 + 0.1) * 0.37 + 0.04, rel=2e-3)


def test_samples_lie_on_the_surface_in_proportion_to_area() -> None:
    mesh = box_chair()
    points, normals, part, triangle = mesh.sample(20_000, np.random.default_rng(0))
    a, b, c = np.moveaxis(mesh.corners[triangle], 1, 0)
    flat = np.cross(b - a, c - a)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert np.abs(((points - a) * flat).sum(1)).max() < 1e-9
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-5)
    share = area(mesh)[mesh.part == LABELS.index_of("seat")].sum() / area(mesh).sum()
    assert (part == LABELS.index_of("seat")).mean() == pytest.approx(share, abs=0.001)


def test_normals_are_smooth_over_shallow_edges_and_sharp_at_corners() -> None:
    solid = box((1, 1, 1), (0, 0, 0))
    normals = corner_normals(solid.vertices, solid.faces)
    centre = solid.vertices[solid.faces].mean(1)
    top = centre[:, 2] > 0.49
    assert normals[top].reshape(-1, 3) == pytest.approx(np.tile([0, 0, 1], (3 * top.sum(), 1)), abs=1e-5)
    slope = 0.2  # a roof of two faces, 23 degrees: smoothed to straight up at the ridge
    vertices = np.array([[0, 0, 0], [0, 1, 0], [1, 0, -slope], [-1, 0, -slope]], float)
    ridge = corner_normals(vertices, np.array([[0, 2, 1], [0, 1, 3]]))
    assert ridge[0, 0] == pytest.approx([0, 0, 1], abs=1e-6)
