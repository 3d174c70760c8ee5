"""Parametric chairs and tables: closed solids, standing on the floor, facing -y, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from sem_field_ros.labels import load_label_set
from sem_field_synth.objects.chairs import make_chair
from sem_field_synth.objects.part_mesh import PartMesh
from sem_field_synth.objects.tables import make_table

CHAIRS, TABLES = load_label_set("chair_parts"), load_label_set("table_parts")
SEEDS = range(50)


@cache
def chair(seed: int) -> PartMesh:
    return make_chair(seed, CHAIRS)


@cache
def table(seed: int) -> PartMesh:
    return make_table(seed, TABLES)


MAKERS = pytest.mark.parametrize("make", [chair, table])
Make = Callable[[int], PartMesh]


def leaks(mesh: PartMesh) -> list[int]:
    """Numbers of the solids that are not closed: some directed edge lacks its opposite."""
    found = []
    for number in np.unique(mesh.solid):
        corners = np.round(mesh.corners[mesh.solid == number].reshape(-1, 3), 12)
        vertex = np.unique(corners, axis=0, return_inverse=True)[1].reshape(-1, 3)
        size = int(vertex.max()) + 1
        edges = np.concatenate([vertex[:, [0, 1]], vertex[:, [1, 2]], vertex[:, [2, 0]]])
        key, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
        if not np.array_equal(np.sort(key), np.sort(back)):
            found.append(int(number))
    return found


@MAKERS
def test_every_solid_is_closed(make: Make) -> None:
    assert leaks(make(0).take(np.arange(1, len(make(0))))) == [0]  # a hole is found
    for seed in SEEDS:
        assert leaks(make(seed)) == [], f"seed {seed}"


@MAKERS
def test_objects_stand_on_the_floor_and_have_a_believable_size(make: Make) -> None:
    for seed in SEEDS:
        mesh = make(seed)
        low = mesh.corners[..., 2].min()
        assert low == pytest.approx(0, abs=1e-12)
        feet = mesh.corners[(mesh.corners[..., 2] < 0.03).any(1)].reshape(-1, 3)
        assert np.ptp(feet[:, 0]) > 0.2 * mesh.size[0], f"seed {seed} would tip over"
        assert (mesh.size > [0.25, 0.25, 0.3]).all() and (mesh.size < [2.6, 1.5, 1.5]).all(), f"seed {seed}"
        assert np.isfinite(mesh.corners).all() and np.isfinite(mesh.normals).all()


def test_chairs_have_a_seat_something_below_and_nearly_always_a_back() -> None:
    backs = 0
    for seed in SEEDS:
        mesh = chair(seed)
        middle = {name: mesh.corners[mesh.part == i].reshape(-1, 3) for i, name in enumerate(CHAIRS.names)}
        assert len(middle["background"]) == 0
        below = np.concatenate([middle["leg"], middle["base"]])
        assert below[:, 2].mean() < middle["seat"][:, 2].mean()
        if len(middle["back"]):
            backs += 1
            assert middle["back"][:, 1].mean() > middle["seat"][:, 1].mean(), f"seed {seed} faces the wrong way"
            assert middle["back"][:, 2].max() > middle["seat"][:, 2].max()
        if len(middle["arm"]):
            assert np.abs(middle["arm"][:, 0]).mean() > np.abs(middle["seat"][:, 0]).mean()
    assert backs >= len(SEEDS) - 6


def test_tables_have_their_top_above_everything_else() -> None:
    for seed in SEEDS:
        mesh = table(seed)
        top = mesh.part == TABLES.index_of("top")
        assert mesh.corners[top][..., 2].max() >= mesh.corners[..., 2].max() - 1e-9, f"seed {seed}"
        assert mesh.size[0] >= mesh.size[1] - 0.05


@MAKERS
def test_every_part_occurs_and_seeds_differ(make: Make) -> None:
    meshes = [make(seed) for seed in range(100)]
    labels = CHAIRS if make is chair else TABLES
    seen = set(np.concatenate([np.unique(mesh.part) for mesh in meshes]).tolist())
    assert seen == set(range(1, len(labels)))
    assert len({tuple(np.round(mesh.size, 6)) for mesh in meshes}) == len(meshes)
    again = make.__wrapped__(7)  # type: ignore[attr-defined]
    assert np.array_equal(again.corners, meshes[7].corners) and again.surfaces == meshes[7].surfaces
