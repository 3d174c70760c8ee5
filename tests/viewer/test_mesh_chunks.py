"""The live mesh: blocks in chunks, welding, hiding, and what its vertices are."""

from __future__ import annotations

import numpy as np

from sem_field_ros.viewer.legend import make_legend
from sem_field_ros.viewer.mesh_chunks import MeshChunks, PointLookup, Triangles, build_chunk, position_keys
from sem_field_ros.viewer.points import DisplaySettings, LabelledPoints

RED, GREEN = (250, 0, 0), (0, 250, 0)
LEGEND = make_legend({1: "a", 2: "b"}, {1: RED, 2: GREEN})
# two triangles of a square, and one beside it that shares an edge
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0], [2, 0, 0], [1, 1, 0]])
NOTHING = PointLookup(LabelledPoints.empty())


def soup(corners: np.ndarray = CORNERS, color: tuple[int, int, int] = RED) -> Triangles:
    return Triangles(corners.astype(np.float32), np.tile(np.array(color, np.uint8), (len(corners), 1)))


def points(ids: list[int], at: np.ndarray, confidence: float = 1.0) -> LabelledPoints:
    return LabelledPoints.from_arrays(at, np.full((len(at), 3), 77), np.array(ids), np.full(len(at), confidence))


def test_corners_at_one_place_become_one_vertex() -> None:
    mesh = build_chunk(soup(), NOTHING, LEGEND, DisplaySettings("rgb"))
    assert mesh is not None and mesh.vertices.shape == (5, 3) and mesh.faces.shape == (3, 3)
    assert np.array_equal(mesh.vertices[mesh.faces].reshape(-1, 3), CORNERS)


def test_what_the_cloud_says_of_a_vertex_counts_more_than_its_colour() -> None:
    at = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0]], float)
    lookup = PointLookup(points([2, 2, 2, 2, 1], at))
    assert len(build_chunk(soup(), lookup, LEGEND, DisplaySettings(hidden_ids=frozenset({1}))).faces) == 2
    assert (
        build_chunk(soup(), lookup, LEGEND, DisplaySettings(hidden_ids=frozenset({2}))) is None
    )  # one vertex left of three
    rgb = build_chunk(soup(), lookup, LEGEND, DisplaySettings("rgb"))
    assert rgb is not None and (rgb.colors == 77).all()
    unsure = PointLookup(points([2, 2, 2, 2, 1], at, confidence=0.3))
    assert build_chunk(soup(), unsure, LEGEND, DisplaySettings(min_confidence=0.5)) is None


def test_without_a_cloud_the_colour_tells_the_class() -> None:
    assert build_chunk(soup(color=GREEN), NOTHING, LEGEND, DisplaySettings(hidden_ids=frozenset({2}))) is None
    assert build_chunk(soup(color=GREEN), NOTHING, LEGEND, DisplaySettings(hidden_ids=frozenset({1}))) is not None


def test_a_vertex_that_moved_a_little_is_found_and_one_that_moved_far_is_not() -> None:
    rng = np.random.default_rng(0)
    at = rng.uniform(-3, 3, (200, 3))
    lookup = PointLookup(points([1] * 200, at))
    assert (lookup(at.astype(np.float32)) == np.arange(200)).all()
    moved = lookup((at + rng.uniform(-0.005, 0.005, at.shape)).astype(np.float32))
    assert (moved == np.arange(200)).mean() > 0.95
    assert (lookup(at + 20.0) == -1).all()


def test_positions_far_apart_have_different_keys() -> None:
    grid = np.stack(np.meshgrid(*3 * [np.arange(-20, 20) * 0.05]), axis=-1).reshape(-1, 3)
    assert len(np.unique(position_keys(grid, 0.00025))) == len(grid)


def test_only_the_chunk_that_changed_is_dirty() -> None:
    mesh = MeshChunks(chunk_m=2.0)
    mesh.update({"near": soup(CORNERS * 0.1), "far": soup(CORNERS * 0.1 + 10)})
    assert len(mesh.take_dirty()) == 2 and mesh.triangles == 6
    mesh.update({"near": soup(CORNERS * 0.1), "far": soup(CORNERS * 0.1 + 10, GREEN)})  # near is sent again as it was
    assert mesh.take_dirty() == {(5, 5, 5)}
    mesh.update({"far": soup(CORNERS[:0])}, ["near", "never there"])
    assert mesh.take_dirty() == {(0, 0, 0), (5, 5, 5)} and mesh.triangles == 0 and mesh.chunks() == []


def test_a_block_that_moves_into_another_chunk_leaves_the_first() -> None:
    mesh = MeshChunks(chunk_m=2.0)
    mesh.update({"b": soup(CORNERS * 0.1)})
    mesh.update({"b": soup(CORNERS * 0.1 + 4)})
    assert mesh.chunks() == [(2, 2, 2)] and len(mesh.triangles_of((0, 0, 0), 99)) == 0
    assert len(mesh.triangles_of((2, 2, 2), 2)) == 2  # the limit


def test_clear() -> None:
    mesh = MeshChunks()
    mesh.update({i: soup(CORNERS + i) for i in range(5)})
    mesh.clear()
    assert mesh.triangles == 0 and mesh.chunks() == []


def test_floors_are_lighter_than_walls_and_camera_colours_are_left_alone() -> None:
    floor = build_chunk(soup(), NOTHING, LEGEND, DisplaySettings())
    wall = build_chunk(soup(CORNERS[:, [0, 2, 1]]), NOTHING, LEGEND, DisplaySettings())  # faces -y
    assert floor is not None and wall is not None
    assert 170 <= wall.colors[:, 0].max() < floor.colors[:, 0].min() <= 250
    assert (build_chunk(soup(), NOTHING, LEGEND, DisplaySettings("rgb")).colors == RED).all()


def test_the_sample_is_spread_over_all_blocks() -> None:
    mesh = MeshChunks()
    mesh.update({i: soup(CORNERS + i) for i in range(50)})
    centres, normals, areas = mesh.sample(30)
    assert 20 <= len(centres) <= 60 and np.allclose(normals, [0, 0, 1]) and np.allclose(areas, 0.5)
