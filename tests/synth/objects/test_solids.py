"""Solids are closed, look outwards and have the volume that geometry says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sem_field_synth.objects.solids import (
    Solid,
    bar,
    box,
    lathe,
    loft,
    polygon,
    rounded_path,
    rounded_rectangle,
    slab,
    superellipse,
    sweep,
    tube,
    volume,
)


def open_edges(faces: np.ndarray) -> int:
    """How many directed edges lack their opposite: 0 for a closed surface that looks to one side."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    forward, backward = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    (kinds, there), (others, back) = (np.unique(keys, return_counts=True) for keys in (forward, backward))
    missing = dict(zip(kinds.tolist(), there.tolist(), strict=True))
    for key, count in zip(others.tolist(), back.tolist(), strict=True):
        missing[key] = missing.get(key, 0) - count
    return sum(map(abs, missing.values())) // 2


def size_of(solid: Solid) -> float:
    return volume(solid.vertices, solid.faces)


def test_an_open_mesh_is_found() -> None:
    solid = box((1, 1, 1), (0, 0, 0))
    assert open_edges(solid.faces) == 0
    assert open_edges(solid.faces[1:]) == 3


def test_box_has_its_volume_and_place() -> None:
    solid = box((1, 2, 3), (4, 5, 6))
    assert size_of(solid) == pytest.approx(6, rel=1e-3)
    assert solid.vertices.min(0) == pytest.approx([3.5, 4, 4.5])
    assert solid.vertices.max(0) == pytest.approx([4.5, 6, 7.5])


def test_cylinder_cone_and_torus() -> None:
    prism = 0.5 * 64 * np.sin(2 * np.pi / 64)  # area of a 64-gon in the unit circle
    cylinder = lathe([(1, 0), (1, 2)], 64)
    cone = lathe([(1, 0), (0.5, 3)], 64)
    assert size_of(cylinder) == pytest.approx(2 * prism)
    assert size_of(cone) == pytest.approx(prism * (1 + 0.5 + 0.25))
    circle = superellipse(8, 8, 2.0, 200)
    ring = tube(np.column_stack([circle, np.zeros(200)]), 0.5, closed=True, sides=64)
    assert size_of(ring) == pytest.approx(2 * np.pi**2 * 4 * 0.25, rel=0.01)
    assert open_edges(ring.faces) == 0


@given(
    st.floats(0.02, 3), st.floats(0.02, 3), st.floats(0.005, 1), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.2)
)
def test_slabs_are_closed_and_look_outwards(
    width: float, depth: float, thickness: float, radius: float, bevel: float, crown: float
) -> None:
    solid = slab(rounded_rectangle(width, depth, radius), thickness, bevel, crown)
    assert open_edges(solid.faces) == 0
    assert 0 < size_of(solid) < width * depth * (thickness + crown) * 1.0001
    assert np.ptp(solid.vertices[:, 2]) == pytest.approx(thickness + (crown * (1 - 0.15**2) if crown else 0))


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_bars_run_from_start_to_end(numbers: list[float]) -> None:
    start, end = np.array(numbers[:3]), np.array(numbers[3:]) + [0, 0, 3]
    solid = bar(start, end, polygon(8, 0.05), polygon(8, 0.02))
    length = np.linalg.norm(end - start)
    area = 0.5 * 8 * np.sin(2 * np.pi / 8)
    assert open_edges(solid.faces) == 0
    assert size_of(solid) == pytest.approx(length * area * (0.05**2 + 0.05 * 0.02 + 0.02**2) / 3)


def test_a_mirrored_or_turned_solid_still_looks_outwards() -> None:
    solid = sweep(rounded_path([(0, 0, 0), (1, 0, 0), (1, 1, 0)], 0.2), rounded_rectangle(0.1, 0.1))
    mirrored = solid.mapped(lambda p: p * [-1, 1, 1])
    assert size_of(mirrored) == pytest.approx(size_of(solid)) and size_of(solid) > 0
    assert size_of(solid.turned(70, "x")) == pytest.approx(size_of(solid))


def test_turning_follows_the_right_hand() -> None:
    solid = Solid(np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([[0, 1, 2]]))
    assert solid.turned(90).vertices == pytest.approx(np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]))
    assert solid.turned(90, "x").vertices == pytest.approx(np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]))
    assert solid.turned(90, "y").vertices == pytest.approx(np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]]))


def test_rounded_path_keeps_its_ends_and_cuts_corners() -> None:
    path = rounded_path([(0, 0, 0), (1, 0, 0), (1, 1, 0)], 0.3)
    assert path[0] == pytest.approx([0, 0, 0]) and path[-1] == pytest.approx([1, 1, 0])
    assert np.linalg.norm(path - [1, 0, 0], axis=1).min() > 0.1


def test_loft_turns_rings_given_in_either_order() -> None:
    ring = np.column_stack([polygon(6, 1.0), np.zeros(6)])
    up = loft(np.array([ring, ring + [0, 0, 1]]))
    down = loft(np.array([ring + [0, 0, 1], ring]))
    assert size_of(up) == pytest.approx(size_of(down)) and size_of(up) > 0
