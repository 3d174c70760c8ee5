"""The learned vote inside a map: tiny random weights, what must hold for any, and its way through a map file."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.fusion.hand_made import Votes
from sem_field_ros.fusion.learned import KIND, LearnedFusion, load_fusion
from sem_field_ros.fusion.map_voter import MapVoter, MapVoterConfig
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_state import fill_votes
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.mapping.votes import VoteTable
from sem_field_ros.parallel import for_each
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.weights import WeightsCard, save_weights
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

CONFIG = MapConfig(voxel_size_m=0.05, min_weight=1.0, views_per_voxel=3)
SIZES = MapVoterConfig(encoder=5, features=4, base=(8, 6), head=(5, 4))


def voter() -> MapVoter:
    torch.manual_seed(0)
    return MapVoter(SIZES)


def mapped(fusion: LearnedFusion, with_features: bool = True) -> SemanticMap:
    """The wall seen from three places, twice rightly and once with its classes swapped."""
    semantic_map = SemanticMap(CONFIG, LABELS, fusion)
    for i, x in enumerate((0.0, 0.1, -0.1)):
        frame = wall_frame(x, stamp_ns=i)
        semantic_map.integrate(frame)
        predicted = wall_probabilities(frame, swapped=i == 2)
        features = torch.randn(5, 15, 20, generator=torch.Generator().manual_seed(i)) if with_features else None
        semantic_map.vote(frame, replace(predicted, features=features))
    return semantic_map


def test_features_and_cues_are_kept_with_the_views() -> None:
    fusion = LearnedFusion(voter())
    votes = mapped(fusion).votes
    rows = (votes.voxel >= 0).nonzero()[:, 0]
    kept = votes.views_of(rows)
    seen = kept.scores > 0
    assert kept.features is not None and kept.cues is not None
    assert kept.features.shape == (len(rows), 3, 4)
    assert float(kept.features[seen].abs().mean()) > 0.1
    # the wall is 1.5 m along z before every camera, and seen frontally where the camera looks straight at it
    torch.testing.assert_close(kept.cues[seen][:, 2], torch.full((int(seen.sum()),), 1.5), atol=0.02, rtol=0)
    assert float(kept.cues[seen][:, 3].abs().max()) < 0.03
    distance = kept.cues[seen][:, :3].norm(dim=1)
    torch.testing.assert_close(kept.cues[seen][:, 4], 1.5 / distance, atol=0.02, rtol=0)


def test_labels_come_from_the_votes_whatever_the_weights() -> None:
    """All that a softmax over views can say lies between the views."""
    votes = mapped(LearnedFusion(voter())).votes
    rows = (votes.scores > 0).any(dim=1).nonzero()[:, 0]
    assert len(rows) > 200
    torch.testing.assert_close(votes.fused[rows].sum(dim=1), torch.ones(len(rows)), atol=0.01, rtol=0)
    assert float(votes.fused[rows].max()) < 0.91 and float(votes.fused[rows].min()) > 0.09


def test_a_segmenter_without_features_can_vote_too() -> None:
    fusion = LearnedFusion(voter())
    kept = mapped(fusion, with_features=False).votes
    assert int(kept.features.abs().sum()) == 0 and float(kept.cues.abs().sum()) > 0
    values = torch.zeros(2, 4, 4)
    assert fusion.project_features(ClassProbabilities(values, torch.zeros(5, 4, 4))) is not None
    assert fusion.project_features(ClassProbabilities(values, torch.zeros(5, 4, 4), "another's")) is None
    assert fusion.project_features(ClassProbabilities(values, torch.zeros(7, 4, 4))) is None, "of another size"


def test_the_voter_goes_where_the_features_are() -> None:
    """`meta` stands for another device: it has no values, but every computer has it."""
    fusion = LearnedFusion(voter())
    predicted = ClassProbabilities(torch.zeros(2, 3, 4), torch.zeros(5, 3, 4, device="meta"))
    reduced = fusion.project_features(predicted)
    assert reduced is not None and reduced.device.type == "meta" and reduced.shape == (4, 3, 4)


def test_threads_that_find_the_voter_elsewhere_wait_until_it_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a large map is loaded onto a GPU: nothing was reduced there before."""
    fusion = LearnedFusion(voter())
    fusion.voter.to("meta")
    there = voter().state_dict()
    arriving = threading.Event()

    def to(device: torch.device) -> None:
        fusion.voter.to_empty(device=device)  # its first parameter arrives before the others
        arriving.set()
        time.sleep(0.2)
        fusion.voter.load_state_dict(there)

    monkeypatch.setattr(fusion.voter, "to", to)
    fusion._vote = None  # type: ignore[assignment]  # of the wrong device: whoever asks it fails
    n = 4
    votes = Votes(torch.ones(n, 3, 2) / 2, torch.ones(n, 3), torch.ones(n, 3).int())

    def ask(part: int) -> None:
        assert part == 0 or arriving.wait(10)  # the second asks while the first one moves it
        fusion.fuse(votes)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for_each(range(2), ask)
    finally:
        torch.set_num_threads(before)


def test_a_saved_map_goes_on_voting_with_its_features() -> None:
    fusion = LearnedFusion(voter())
    semantic_map = mapped(fusion)
    state = semantic_map.state()
    again = SemanticMap(CONFIG, LABELS, fusion)
    slots = again._adopt_blocks(torch.from_numpy(state.arrays["block_keys"].copy()))
    rows = fill_votes(state, again.votes, slots)
    again.votes.fuse(rows, fusion)
    restored = again.state().arrays
    assert state.arrays["row_features"].any()
    for name in ("row_features", "row_cues", "row_samples", "row_scores"):
        np.testing.assert_array_equal(restored[name], state.arrays[name])
    after, before = again.votes, semantic_map.votes
    kept = sorted(before.fused[before.voxel >= 0, 0].tolist())
    assert sorted(after.fused[after.voxel >= 0, 0].tolist()) == pytest.approx(kept, abs=1e-5)


def test_another_voter_does_not_read_the_features_of_a_saved_map(tmp_path: Path) -> None:
    """Retrained weights, also of another size: probabilities and cues are kept, features vote as zeros."""
    state = mapped(LearnedFusion(voter(), identity="old")).state()
    assert state.header["voter"] == "old" and state.arrays["row_features"].any()
    path = tmp_path / "other.safetensors"
    sizes = replace(SIZES, features=3)
    save_weights(path, MapVoter(sizes).state_dict(), WeightsCard(KIND, sizes.as_dict()))
    again = SemanticMap.from_state(state, replace(CONFIG, fusion="gnesf", fusion_weights=str(path)))
    assert (again.surface().confidence > 0).any()
    votes = again.votes
    rows = (votes.voxel >= 0).nonzero()[:, 0]
    assert len(rows) == len(state.arrays["row_voxel"]) and votes.features.shape[2] == 3
    assert not votes.features[rows].any() and votes.cues[rows].any()


def test_weights_go_through_a_file(tmp_path: Path) -> None:
    made = voter()
    path = tmp_path / "vote.safetensors"
    save_weights(path, made.state_dict(), WeightsCard(KIND, SIZES.as_dict()))
    fusion, card = load_fusion(path)
    assert card.kind == KIND and fusion.feature_dim == 4
    for name, tensor in fusion.voter.state_dict().items():
        torch.testing.assert_close(tensor, made.state_dict()[name])
    save_weights(path, made.state_dict(), WeightsCard("segmenter", SIZES.as_dict()))
    with pytest.raises(WeightsError, match="not a 'gnesf_map'"):
        load_fusion(path)


def test_weights_bound_to_other_classes_are_refused_before_anything_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "direct.safetensors"
    for classes in (20, len(LABELS)):
        direct = replace(SIZES, pooling="direct", classes=classes)
        save_weights(path, MapVoter(direct).state_dict(), WeightsCard(KIND, direct.as_dict()))
        config = replace(CONFIG, fusion="gnesf", fusion_weights=str(path))
        if classes == len(LABELS):
            SemanticMap(config, LABELS)
        else:
            with pytest.raises(WeightsError, match=r"direct\.safetensors only votes on 20 classes, .* has 2: choose"):
                SemanticMap(config, LABELS)


@pytest.mark.parametrize("count", [1, 1300])
def test_chunks_and_threads_change_no_vote(count: int) -> None:
    """Rows in any order with any number of views, some with none, against all of them at once."""
    g = torch.Generator().manual_seed(0)
    table = VoteTable(4, 3, 2, torch.device("cpu"), 4)
    rows, _ = table.place(torch.arange(count), torch.zeros(count, 3), torch.zeros(count, 3))
    table.scores[rows] = torch.rand(count, 3, generator=g) * (torch.rand(count, 3, generator=g) > 0.4)
    predicted = torch.softmax(torch.randn(count, 3, 2, generator=g), dim=2) * (table.scores[rows] > 0)[..., None]
    table.view_probabilities[rows] = (predicted * 255).to(torch.uint8)
    table.features[rows] = torch.randint(-127, 128, (count, 3, 4), generator=g, dtype=torch.int8)
    fusion = LearnedFusion(voter())
    wanted = fusion.fuse(table.views_of(rows))
    support = 1 - 0.5 ** (table.scores[rows] > 0).sum(dim=1)
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        table.fused.fill_(torch.nan)
        table.fuse(rows[torch.randperm(count, generator=g)], fusion)
        torch.testing.assert_close(table.fused[rows], wanted, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(table.support[rows], support)
    torch.set_num_threads(before)
