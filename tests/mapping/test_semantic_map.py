"""The semantic map on a wall known by hand: surface, labels, visibility, queries, eviction, state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.combined import mean_of
from sem_field_ros.surface import merge_surfaces
from tests.mapping.scene import CAMERA, LABELS, WALL_Z, wall_frame, wall_probabilities

CONFIG = MapConfig(voxel_size_m=0.05, min_weight=1.0)


def _wall_map(config: MapConfig = CONFIG, views=(0.0, 0.1, -0.1), certainty: float = 0.9) -> SemanticMap:
    semantic_map = SemanticMap(config, LABELS)
    for i, x in enumerate(views):
        frame = wall_frame(x, stamp_ns=i)
        semantic_map.integrate(frame)
        semantic_map.vote(frame, wall_probabilities(frame, certainty))
    return semantic_map


# three views that agree, each sure to 0.9: a mean of them is 0.9 * (1 - 0.5^3) sure, their product nearly 1 - 0.5^3
@pytest.mark.parametrize("fusion, confidence", [("gnesf", 0.78), ("bayesian", 0.86)])
@pytest.mark.parametrize("smoothing_cell_m", [0.0, 0.2])
@pytest.mark.parametrize("backend", ["open3d", "torch"])
def test_wall_is_where_it_is_and_labelled(backend, smoothing_cell_m, fusion, confidence):
    surface = _wall_map(replace(CONFIG, backend=backend, fusion=fusion, smoothing_cell_m=smoothing_cell_m)).surface()
    assert len(surface) > 300
    np.testing.assert_allclose(surface.vertices[:, 2], WALL_Z, atol=2e-3)
    np.testing.assert_allclose(surface.normals[:, 2], -1, atol=1e-2)  # towards the camera
    clear = np.abs(surface.vertices[:, 0]) > 0.1
    assert (surface.labels[clear] == (surface.vertices[clear, 0] > 0)).mean() > 0.99
    assert (surface.colors[clear & (surface.vertices[:, 0] < 0), 0] > 200).all()
    middle = np.abs(surface.vertices[:, 0]) < 0.4
    assert surface.confidence[middle & clear].min() > confidence - (0.1 if smoothing_cell_m else 0), (
        "lower beside the border"
    )
    assert surface.confidence.max() <= 1


def test_cloud_has_each_point_once_and_blocks_have_no_seams():
    surface = _wall_map().surface()
    cloud = surface.cloud()
    assert len(np.unique(cloud.vertices.round(5), axis=0)) == len(cloud)
    # at the rim of what was seen a point may belong to a block that is not there: the mesh has it, the cloud does not
    assert len(cloud) > 0.95 * len(np.unique(surface.vertices.round(5), axis=0))
    # welded, the wall is one sheet: interior edges belong to two triangles, the rest forms one outer border
    unique, index = np.unique(surface.vertices.round(5), axis=0, return_inverse=True)
    faces = index.reshape(-1)[surface.faces]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    border = (counts == 1).sum()
    assert counts.max() == 2
    extent = np.ptp(unique[:, :2], axis=0).sum() * 2 / CONFIG.voxel_size_m
    assert border < extent * 1.5


def test_update_gives_only_what_changed():
    semantic_map = _wall_map()
    first = semantic_map.update_surface()
    assert sum(len(s) for s in first.changed.values()) == len(semantic_map.surface())
    assert first.removed == []
    again = semantic_map.update_surface()
    assert again.changed == {} and again.removed == []
    frame = wall_frame(0.0, z=1.0)  # near the wall: sees few blocks
    semantic_map.integrate(frame)
    update = semantic_map.update_surface()
    assert 0 < len(update.changed) < len(first.changed)
    assert set(update.changed) <= set(first.changed)


def test_one_bad_view_is_outvoted():
    semantic_map = _wall_map(views=(0.0, 0.1, -0.1))
    bad = wall_frame(0.05)
    semantic_map.vote(bad, wall_probabilities(bad, 0.9, swapped=True))
    surface = semantic_map.surface()
    clear = np.abs(surface.vertices[:, 0]) > 0.15
    middle = clear & (np.abs(surface.vertices[:, 0]) < 0.5)
    assert (surface.labels[middle] == (surface.vertices[middle, 0] > 0)).mean() > 0.99
    assert surface.confidence[middle].max() < 0.99


def test_members_of_combined_probabilities_are_views_of_their_own():
    """Two of three segmenters are right in the only view; on surface that appears after the keyframe, too."""
    frame = wall_frame(0.0)
    right, wrong = wall_probabilities(frame), wall_probabilities(frame, swapped=True)
    combined = mean_of([right, wrong, right])
    found = []
    for min_weight, said in ((1.0, [combined]), (1.0, [right, wrong, right]), (2.0, [combined])):
        semantic_map = SemanticMap(replace(CONFIG, min_weight=min_weight, fusion="majority"), LABELS)
        semantic_map.integrate(frame)
        for probabilities in said:
            semantic_map.vote(frame, probabilities)
        assert semantic_map.keyframes == len(said)
        semantic_map.integrate(frame)
        surface = semantic_map.surface()
        views = (semantic_map.votes.scores > 0).sum(dim=1)[semantic_map.votes.voxel >= 0]
        assert set(views.tolist()) == {3} and (surface.labels == (surface.vertices[:, 0] > 0)).mean() > 0.95
        found.append(surface.labels)
    assert np.array_equal(found[0], found[1])


def _two_segmenters(fusion: str) -> SemanticMap:
    """A segmenter that is right in every view, and a surer one that swaps the classes in four views of six."""
    semantic_map = SemanticMap(replace(CONFIG, fusion=fusion, views_per_voxel=6), LABELS)
    for i, x in enumerate((0.0, 0.1, -0.1, 0.05, -0.05, 0.02)):
        frame = wall_frame(x, stamp_ns=i)
        semantic_map.integrate(frame)
        right, sure = wall_probabilities(frame, 0.7), wall_probabilities(frame, 0.95, swapped=i % 3 > 0)
        semantic_map.vote(frame, mean_of([right, sure]))
    return semantic_map


@pytest.mark.parametrize("fusion, right", [("confidence", False), ("consistency", True)])
def test_a_consistent_segmenter_outweighs_a_surer_one(fusion: str, right: bool):
    semantic_map = _two_segmenters(fusion)
    surface = semantic_map.surface()
    middle = (np.abs(surface.vertices[:, 0]) > 0.15) & (np.abs(surface.vertices[:, 0]) < 0.5)
    assert ((surface.labels[middle] == (surface.vertices[middle, 0] > 0)).mean() > 0.95) == right
    state = semantic_map.state()
    assert state.arrays["row_scores"].shape[1] == 12
    loaded = SemanticMap.from_state(state)
    again = loaded.query(surface.vertices[middle]).labels
    assert loaded.votes.members == 2 and (again == semantic_map.query(surface.vertices[middle]).labels).mean() > 0.99


def test_votes_that_are_not_k_of_each_segmenter_are_refused():
    state = _two_segmenters("consistency").state()
    header = {**state.header, "config": {**state.header["config"], "views_per_voxel": 5}}
    with pytest.raises(MapFileError, match="12 votes of a voxel, not a multiple of 5: map again"):
        SemanticMap.from_state(MapState(state.arrays, header))


def test_last_wins_follows_the_newest_view():
    semantic_map = _wall_map(replace(CONFIG, fusion="last_wins", views_per_voxel=2), views=(0.0, 0.1, -0.1, 0.05))
    bad = wall_frame(0.0)
    semantic_map.vote(bad, wall_probabilities(bad, 0.9, swapped=True))
    surface = semantic_map.surface()
    middle = (np.abs(surface.vertices[:, 0]) > 0.15) & (np.abs(surface.vertices[:, 0]) < 0.5)
    assert (surface.labels[middle] == (surface.vertices[middle, 0] < 0)).mean() > 0.99


def test_never_seen_is_unlabelled_not_a_class():
    semantic_map = SemanticMap(CONFIG, LABELS)
    frame = wall_frame()
    semantic_map.integrate(frame)
    surface = semantic_map.surface()
    assert (surface.labels == -1).all() and (surface.confidence == 0).all()
    answers = semantic_map.query(np.array([[0.3, 0, WALL_Z], [0, 0, 9.0], [np.nan, 0, 0]]))
    assert (answers.labels == -1).all() and not answers.probabilities.any()
    assert np.isfinite(answers.sdf[0]) and np.isnan(answers.sdf[1:]).all()


def test_what_was_carried_away_is_no_label_any_more():
    semantic_map = _wall_map()
    place = np.array([[0.2, 0.0, WALL_Z]])
    assert semantic_map.query(place).labels[0] == 1
    before = len(semantic_map.votes)
    for i in range(60):
        semantic_map.integrate(wall_frame((i % 3 - 1) * 0.1, wall_z=3.0, stamp_ns=i))
    answer = semantic_map.query(place)
    assert answer.sdf[0] > 0.1 and answer.labels[0] == -1 and answer.confidence[0] == 0
    near = (semantic_map.votes.position[:, :2].abs() < 0.3).all(dim=1) & (semantic_map.votes.position[:, 2] < 2.0)
    assert not (near & (semantic_map.votes.voxel >= 0)).any(), "nor does it lend its label to what comes there next"
    assert before and len(semantic_map.surface())


def test_views_behind_an_occluder_do_not_vote():
    semantic_map = _wall_map(views=(0.0,))
    blocked = wall_frame(0.0, wall_z=0.7)  # something stands 0.8 m in front of the wall
    before = semantic_map.votes.scores.clone()
    semantic_map.vote(blocked, wall_probabilities(wall_frame(0.0), swapped=True))
    on_wall = semantic_map.votes.position[:, 2] > 1.4
    assert torch.equal(semantic_map.votes.scores[on_wall], before[on_wall])


def test_a_keyframe_without_depth_does_not_vote_on_surface_that_comes_later():
    semantic_map = SemanticMap(CONFIG, LABELS)
    blind = replace(wall_frame(), depth=None)
    semantic_map.integrate(blind)
    semantic_map.vote(blind, wall_probabilities(blind, swapped=True))
    frame = wall_frame(0.1)
    semantic_map.integrate(frame)
    semantic_map.vote(frame, wall_probabilities(frame))
    surface = semantic_map.surface()
    clear = np.abs(surface.vertices[:, 0]) > 0.1
    assert (surface.labels[clear] == (surface.vertices[clear, 0] > 0)).mean() > 0.99


def test_surface_that_appears_after_a_keyframe_still_gets_its_votes():
    semantic_map = SemanticMap(replace(CONFIG, min_weight=2.0), LABELS)
    frame = wall_frame()
    semantic_map.integrate(frame)
    semantic_map.vote(frame, wall_probabilities(frame))
    assert len(semantic_map.surface()) == 0  # seen once: not surface yet
    semantic_map.integrate(frame)
    assert (semantic_map.surface().labels >= 0).mean() > 0.9


def test_query_distance_labels_and_probabilities():
    semantic_map = _wall_map()
    points = np.array([[0.3, 0.1, WALL_Z], [-0.3, 0.1, WALL_Z], [0.3, 0.1, WALL_Z - 0.1], [0.3, 0.1, WALL_Z + 0.08]])
    answers = semantic_map.query(points)
    np.testing.assert_allclose(answers.sdf, [0, 0, 0.1, -0.08], atol=5e-3)
    assert answers.labels.tolist() == [1, 0, 1, 1]
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1, atol=1e-4)
    assert (answers.probabilities.max(axis=1) > 0.89).all()
    np.testing.assert_allclose(answers.confidence, answers.probabilities.max(axis=1) * (1 - 0.5**3), atol=1e-4)
    assert semantic_map.query(np.zeros((0, 3))).sdf.shape == (0,)


def test_render_sees_the_wall():
    view = _wall_map().render(CAMERA, np.eye(4))
    inner = np.s_[10:-10, 10:-10]
    np.testing.assert_allclose(view.depth[inner], WALL_Z, atol=5e-3)
    assert (view.labels[inner][:, :20] == 0).all() and (view.labels[inner][:, -20:] == 1).all()
    empty = SemanticMap(CONFIG, LABELS).render(CAMERA, np.eye(4))
    assert not empty.depth.any() and (empty.labels == -1).all()


def test_block_budget_evicts_the_least_recently_seen():
    semantic_map = SemanticMap(replace(CONFIG, max_blocks=60), LABELS)
    for i in range(12):
        frame = wall_frame(x=1.5 * i)
        semantic_map.integrate(frame)
        semantic_map.vote(frame, wall_probabilities(frame))
        semantic_map.update_surface()
        assert len(semantic_map.volume) <= 60
    surface = semantic_map.surface()
    assert surface.vertices[:, 0].max() > 16 and surface.vertices[:, 0].min() > 10
    assert (surface.labels >= 0).mean() > 0.9  # slots were reused: no row of an evicted block is left
    assert semantic_map.stats()["evicted_blocks"] > 0
    assert len(semantic_map.votes) < 5000


def test_removed_blocks_are_announced_once():
    semantic_map = SemanticMap(replace(CONFIG, map_radius_m=1.0), LABELS)
    frame = wall_frame(0.0, z=1.0)
    semantic_map.integrate(frame)
    known = set(semantic_map.update_surface().changed)
    far = wall_frame(10.0, z=1.0)
    removed: list[int] = []
    for _ in range(16):
        semantic_map.integrate(far)
        removed += semantic_map.update_surface().removed
    assert sorted(removed) == sorted(known)
    assert semantic_map.surface().vertices[:, 0].min() > 5


def test_growth_moves_no_label():
    semantic_map = SemanticMap(replace(CONFIG, voxel_size_m=0.02), LABELS)
    for i in range(10):  # far more than the first 1024 blocks
        frame = wall_frame(x=1.4 * i)
        semantic_map.integrate(frame)
        semantic_map.vote(frame, wall_probabilities(frame))
    assert len(semantic_map.volume) > 1024
    surface = semantic_map.surface()
    clear = np.abs(surface.vertices[:, 0]) > 0.1
    labelled = clear & (surface.labels >= 0)
    assert labelled.sum() / clear.sum() > 0.95
    assert (surface.labels[labelled] == (surface.vertices[labelled, 0] > 0)).mean() > 0.99


@pytest.mark.parametrize("backend", ["open3d", "torch"])
def test_what_has_gone_is_carved_away(backend):
    semantic_map = SemanticMap(replace(CONFIG, backend=backend), LABELS)
    for _ in range(6):
        semantic_map.integrate(wall_frame(wall_z=0.7))  # somebody stands before the wall ...
    assert (semantic_map.surface().vertices[:, 2] < 1).any()
    for _ in range(40):
        semantic_map.integrate(wall_frame())  # ... and leaves
    inside = np.abs(semantic_map.surface().vertices[:, :2]).max(axis=1) < 0.25
    assert inside.any() and (semantic_map.surface().vertices[inside, 2] > 1.3).all()


def test_reset_forgets_everything():
    semantic_map = _wall_map()
    semantic_map.reset()
    assert len(semantic_map.surface()) == 0 and semantic_map.stats()["blocks"] == 0


def test_state_round_trip_keeps_surface_and_votes():
    semantic_map = _wall_map()
    again = SemanticMap.from_state(semantic_map.state(), CONFIG)
    a, b = (s.cloud() for s in (semantic_map.surface(), again.surface()))
    order_a, order_b = (np.lexsort(s.vertices.round(2).T) for s in (a, b))
    assert len(a) == len(b)
    np.testing.assert_allclose(a.vertices[order_a], b.vertices[order_b], atol=2e-3)  # distances are kept in 16 bits
    assert (a.labels[order_a] == b.labels[order_b]).mean() > 0.99
    bad = wall_frame(0.0)
    again.vote(bad, wall_probabilities(bad, swapped=True))  # one against three that were loaded
    surface = again.surface()
    middle = (np.abs(surface.vertices[:, 0]) > 0.15) & (np.abs(surface.vertices[:, 0]) < 0.5)
    assert (surface.labels[middle] == (surface.vertices[middle, 0] > 0)).mean() > 0.99


def test_damaged_states_are_refused_in_one_line():
    state = _wall_map().state()
    outside = dict(state.arrays, row_voxel=state.arrays["row_voxel"] + 10**9)
    missing = {k: v for k, v in state.arrays.items() if k != "tsdf"}
    short = dict(state.arrays, row_scores=state.arrays["row_scores"][:-1])
    for arrays in (outside, missing, short):
        with pytest.raises(MapFileError, match="map again"):
            SemanticMap.from_state(MapState(arrays, state.header))
    with pytest.raises(MapFileError, match="map again"):
        SemanticMap.from_state(MapState(state.arrays, {}))


def test_empty_map_has_state_and_merging_nothing_is_empty():
    empty = SemanticMap(CONFIG, LABELS)
    assert len(SemanticMap.from_state(empty.state()).surface()) == 0
    assert len(merge_surfaces([])) == 0
