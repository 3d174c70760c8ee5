"""The neighbourhood of surface voxels: against a slow readable twin, on surfaces known by hand, and inside a map."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sem_field_ros.mapping import label_smoother as context
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.label_smoother import WEIGHT, Neighbourhood, _around_sparsely, around
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.surface import Surface, merge_surfaces
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

CELL = 0.2
UP = (0.0, 0.0, 1.0)
CONFIG = MapConfig(voxel_size_m=0.05, min_weight=1.0, fusion="bayesian")


def points(seed: int, count: int, classes: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random surface points within a metre, each fused on."""
    g = torch.Generator().manual_seed(seed)
    position = 2 * torch.rand(count, 3, generator=g) - 1
    normal = torch.nn.functional.normalize(torch.randn(count, 3, generator=g))
    fused = torch.softmax(3 * torch.randn(count, classes, generator=g), dim=1)
    return position, normal, fused, 0.5 + 0.5 * torch.rand(count, generator=g)


def sheet(normal: tuple[float, float, float], z: float, classes: list[float], side: int = 9):
    """A square of 5 cm voxels at height z, all of one distribution."""
    xy = torch.tensor(list(product(range(side), range(side)))) * 0.05
    position = torch.cat([xy, torch.full((side**2, 1), z)], dim=1)
    return (
        position,
        torch.tensor([normal]).expand(side**2, 3),
        torch.tensor([classes]).expand(side**2, -1),
        torch.full((side**2,), 0.875),
    )


def twin(known: tuple[Tensor, ...], position: Tensor, normal: Tensor) -> np.ndarray:
    """The neighbourhood's mean distribution and support, loop by loop."""
    pools: dict[tuple, np.ndarray] = {}
    for p, n, v, s in zip(*(part.double().numpy() for part in known), strict=True):
        axis = int(np.abs(n).argmax())
        key = (*np.floor(p / (CELL / 2)).astype(int), axis, n[axis] < 0)
        pools[key] = pools.get(key, 0) + np.concatenate([v, [s, 1.0], p, n])
    table: dict[tuple, np.ndarray] = {}

    def stencil(p: np.ndarray, n: np.ndarray):
        low = np.floor(p / CELL).astype(int)
        for corner in product((0, 1), repeat=3):
            near = np.prod(1 - np.abs(p / CELL - low - corner))
            for axis in range(3):
                yield (*(low + corner), axis, n[axis] < 0), near * n[axis] ** 2 / (n @ n)

    width = known[2].shape[1] + 2
    for pool in pools.values():
        for key, share in stencil(pool[width : width + 3] / pool[width - 1], pool[width + 3 :]):
            table[key] = table.get(key, 0) + share * pool[:width]
    out = []
    for p, n in zip(position.double().numpy(), normal.double().numpy(), strict=True):
        read = sum((share * table.get(key, np.zeros(width)) for key, share in stencil(p, n)), np.zeros(width))
        out.append(read[:-1] / max(read[-1], 1e-9))
    return np.array(out)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 40), side=st.integers(1, 12), reach=st.integers(0, 4))
def test_blocks_around_blocks_on_a_grid_and_without_one(seed: int, count: int, side: int, reach: int) -> None:
    keys = torch.randint(-side, side, (count, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.int32)
    found = around(keys, reach)
    wanted = {
        (x + i, y + j, z + k) for x, y, z in keys.tolist() for i, j, k in product(range(-reach, reach + 1), repeat=3)
    }
    assert found.dtype == torch.int32 and list(map(tuple, found.tolist())) == sorted(wanted)
    assert torch.equal(found, _around_sparsely(keys, reach))


def test_blocks_around_blocks_at_both_ends_of_the_world() -> None:
    keys = torch.tensor([[-(1 << 19)] * 3, [1 << 19] * 3], dtype=torch.int32)
    assert around(keys, 1).shape == (54, 3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 60))
def test_it_is_what_the_slow_twin_says(seed: int, count: int) -> None:
    known = points(seed, count)
    position, normal, _, _ = points(seed + 1, 30)
    expected = twin(known, position, normal)
    none = torch.zeros(30, 3), torch.zeros(30)
    probabilities, support = Neighbourhood(*known, CELL).update(position, normal, *none)
    total = expected[:, :3].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities.numpy(), expected[:, :3] / np.maximum(total, 1e-9), atol=2e-4)
    np.testing.assert_allclose(support.numpy(), 0.5 * expected[:, 3], atol=2e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 60))
def test_order_changes_nothing(seed: int, count: int) -> None:
    known = points(seed, count)
    turn = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    a, _ = Neighbourhood(*known, CELL).update(*known)
    b, _ = Neighbourhood(*(part[turn] for part in known), CELL).update(*known)
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_many_points_are_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    known = points(3, 50)
    at_once = Neighbourhood(*known, CELL).update(*known)
    monkeypatch.setattr(context, "_CHUNK", 7)
    for part, whole in zip(Neighbourhood(*known, CELL).update(*known), at_once, strict=True):
        torch.testing.assert_close(part, whole)


def test_a_surface_of_one_mind_stays_as_it_is() -> None:
    known = sheet(UP, 0.3, [0.7, 0.2, 0.1])
    smoothed, support = Neighbourhood(*known, CELL).update(*known)
    torch.testing.assert_close(smoothed, known[2].contiguous(), atol=1e-6, rtol=0)
    torch.testing.assert_close(support, known[3])


def test_a_speck_is_outvoted_and_an_island_keeps_its_own() -> None:
    position, normal, fused, support = sheet(UP, 0.3, [0.9, 0.1])
    fused = fused.clone()
    fused[40] = torch.tensor([0.1, 0.9])  # the middle
    smoothed, _ = Neighbourhood(position, normal, fused, support, CELL).update(position, normal, fused, support)
    assert (smoothed.argmax(dim=1) == 0).all()
    alone = position[40:41], normal[40:41], fused[40:41], support[40:41]
    smoothed, _ = Neighbourhood(*alone, CELL).update(*alone)
    torch.testing.assert_close(smoothed, fused[40:41])


def test_far_from_the_origin_it_is_the_same() -> None:
    position, normal, fused, support = points(7, 200)
    position = (position * 64).round() / 64  # exact there as well
    here = Neighbourhood(position, normal, fused, support, 0.25).update(position, normal, fused, support)
    far = position + torch.tensor([32768.0, 0.0, 0.0])
    there = Neighbourhood(far, normal, fused, support, 0.25).update(far, normal, fused, support)
    torch.testing.assert_close(there[0], here[0], atol=0.02, rtol=0)


@pytest.mark.parametrize("normal", [(0.0, 0.0, -1.0), (1.0, 0.0, 0.0)])
def test_surfaces_that_face_elsewhere_do_not_matter(normal) -> None:
    """The two sides of a thin board, and a leg below a table top."""
    top = sheet(UP, 0.3, [0.9, 0.1])
    other = sheet(normal, 0.28, [0.1, 0.9])
    both = tuple(torch.cat(parts) for parts in zip(top, other, strict=True))
    smoothed, _ = Neighbourhood(*both, CELL).update(*both)
    torch.testing.assert_close(smoothed, both[2], atol=1e-6, rtol=0)


def test_where_no_view_voted_the_neighbours_do_with_half_the_support() -> None:
    position, normal, fused, support = sheet(UP, 0.3, [0.9, 0.1])
    known = torch.arange(81) != 40
    cells = Neighbourhood(position[known], normal[known], fused[known], support[known], CELL)
    smoothed, sure = cells.update(position[40:41], normal[40:41], torch.zeros(1, 2), torch.zeros(1))
    torch.testing.assert_close(smoothed, torch.tensor([[0.9, 0.1]]))
    assert float(sure) == pytest.approx(0.5 * 0.875)
    far = position[40:41] + 1.0
    smoothed, sure = cells.update(far, normal[40:41], torch.zeros(1, 2), torch.zeros(1))
    assert not smoothed.any() and not sure.any(), "nobody near: unlabelled"


def test_own_views_weigh_against_the_neighbourhood_as_documented() -> None:
    position, normal, fused, support = sheet(UP, 0.3, [1.0, 0.0])
    cells = Neighbourhood(position, normal, fused, support, CELL)
    smoothed, _ = cells.update(position[40:41], normal[40:41], torch.tensor([[0.0, 1.0]]), support[40:41])
    assert float(smoothed[0, 1]) == pytest.approx(1 / (1 + WEIGHT))


def _walls(smoothing_cell_m: float, upto: int = 3) -> SemanticMap:
    semantic_map = SemanticMap(replace(CONFIG, smoothing_cell_m=smoothing_cell_m), LABELS)
    for i, x in enumerate((0.0, 0.3, -0.3)[:upto]):
        frame = wall_frame(x, stamp_ns=i)
        semantic_map.integrate(frame)
        semantic_map.vote(frame, wall_probabilities(frame, 0.8))
    return semantic_map


def test_no_context_means_own_views_alone() -> None:
    semantic_map = _walls(0.0)
    semantic_map.surface()
    votes = semantic_map.votes
    torch.testing.assert_close(votes.probabilities, votes.fused)
    torch.testing.assert_close(votes.confidence, votes.fused.amax(dim=1) * votes.support)


@pytest.mark.parametrize("smoothing_cell_m", [0.0, 0.1, 0.2, 0.5])
def test_asking_as_it_grows_gives_what_asking_once_at_the_end_gives(smoothing_cell_m: float) -> None:
    """Every keyframe touches some blocks; whose answers that changes is neither too few nor stale ones."""
    grown = SemanticMap(replace(CONFIG, smoothing_cell_m=smoothing_cell_m), LABELS)
    published = {}
    for i, x in enumerate((0.0, 0.3, -0.3)):
        frame = wall_frame(x, stamp_ns=i)
        grown.integrate(frame)
        grown.vote(frame, wall_probabilities(frame, 0.8))
        update = grown.update_surface()
        published |= update.changed
        for block in update.removed:
            published.pop(block, None)
    at_once = by_place(_walls(smoothing_cell_m).surface())
    assert len(at_once) > 1000 and (at_once[:, 3] >= 0).all()
    for surface in (grown.surface(), SemanticMap.from_state(grown.state()).surface()):
        np.testing.assert_allclose(by_place(surface), at_once, atol=1e-4)
    np.testing.assert_allclose(by_place(merge_surfaces(list(published.values()))), at_once, atol=1e-4)


def by_place(surface: Surface) -> np.ndarray:
    """Vertices with label and confidence [V, 5], whatever the order of the blocks."""
    columns = np.column_stack([surface.vertices, surface.labels, surface.confidence])
    return columns[np.lexsort(columns[:, :3].round(3).T)]
