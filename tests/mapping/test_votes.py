"""VoteTable: a row that is given to another voxel starts empty in every column."""

from __future__ import annotations

import dataclasses

import torch

from sem_field_ros.fusion.agreement import EXPECTED
from sem_field_ros.fusion.hand_made import HAND_MADE
from sem_field_ros.mapping.view_samples import ViewSamples
from sem_field_ros.mapping.votes import VoteTable

CPU = torch.device("cpu")


def test_a_recycled_row_keeps_nothing_of_the_voxel_before() -> None:
    table = VoteTable(2, views=3, classes=4, device=torch.device("cpu"), feature_count=5)
    here = torch.tensor([7]), torch.ones(1, 3), torch.ones(1, 3)
    rows, is_new = table.place(*here)
    assert is_new.tolist() == [True] and len(table) == 1
    for name in table._columns():
        if name not in ("voxel", "position", "normal"):
            column = getattr(table, name)
            column[rows] = torch.ones_like(column[rows])
    table.drop(rows)
    assert len(table) == 0 and int(table.row_of_voxel[7]) == -1
    table._free = rows  # the next voxel is given this very row
    again, is_new = table.place(torch.tensor([9]), torch.zeros(1, 3), torch.zeros(1, 3))
    assert again.tolist() == rows.tolist() and is_new.all()
    left = {name for name in table._columns() if name != "voxel" and getattr(table, name)[again].abs().sum() > 0}
    assert not left
    assert int(table.voxel[again]) == 9 and int(table.row_of_voxel[9]) == int(again)


def placed(members: int, voxels: int = 3, views: int = 2) -> tuple[VoteTable, torch.Tensor]:
    table = VoteTable(2, views, 2, CPU)
    table.take_members(members)
    return table, table.place(torch.arange(voxels), torch.zeros(voxels, 3), torch.zeros(voxels, 3))[0]


def view(probability: float, voxels: int = 3) -> ViewSamples:
    """All voxels are seen; the first class has this probability."""
    one = torch.ones(voxels)
    return ViewSamples(
        one.bool(), torch.tensor([[probability, 1 - probability]] * voxels), one, one, one.expand(5, -1).T
    )


def test_each_segmenter_keeps_its_own_best_views() -> None:
    table, rows = placed(members=2)
    for keyframe, score in enumerate((1.0, 3.0, 2.0)):
        for member in range(2 if keyframe else 1):  # the second segmenter misses the first keyframe
            found = table.insert(
                rows, view(0.1 * (1 + keyframe + 4 * member)), torch.full((3,), score), keyframe, False, member
            )
            assert found.tolist() == rows.tolist()
    kept = table.views_of(rows)
    best = {
        (round(float(p[0]), 1), float(s), int(k))
        for p, s, k in zip(kept.probabilities[0], kept.scores[0], kept.keyframe_id[0], strict=True)
    }
    assert best == {(0.2, 3, 1), (0.3, 2, 2), (0.6, 3, 1), (0.7, 2, 2)}
    assert (
        kept.keyframe_id[0, 0::2].sort().values.tolist() == [1, 2] == kept.keyframe_id[0, 1::2].sort().values.tolist()
    )
    assert not len(table.insert(rows, view(0.9), torch.full((3,), 0.5), 9, False, 1)), "worse than both of its own"


def test_votes_stay_with_their_segmenter_when_others_join() -> None:
    table, rows = placed(members=1)
    for keyframe in range(2):
        table.insert(rows, view(0.1 + 0.1 * keyframe), torch.ones(3), keyframe, False)
    table.take_members(3)
    kept = table.views_of(rows)
    assert kept.scores.tolist() == [[1, 0, 0, 1, 0, 0]] * 3 and kept.agreement is not None
    assert kept.agreement.tolist() == [EXPECTED] * 3
    table.take_members(2)  # a segmenter that is missing for once changes nothing
    assert table.members == 3 and table.place(torch.tensor([5]), torch.zeros(1, 3), torch.zeros(1, 3))[1].all()


def test_all_rows_are_fused_again_once_the_agreement_has_changed() -> None:
    """The second segmenter contradicts itself on most voxels; the first voxel was fused before that was known."""
    table, rows = placed(members=2, voxels=1000)
    fusion = HAND_MADE["consistency"]()
    one = rows[:1]
    shares = (torch.arange(1000) % 2).float()

    def labels(flipped: bool) -> ViewSamples:
        first = (shares == flipped).float()
        return dataclasses.replace(view(0.5, 1000), probabilities=torch.stack([first, 1 - first], dim=1))

    for keyframe in range(2):
        table.insert(rows, labels(False), torch.ones(1000), keyframe, False, 0)
        table.insert(rows, labels(keyframe == 0), torch.ones(1000), keyframe, False, 1)
        everywhere = table.fuse(one if keyframe else rows, fusion)
        assert everywhere == (keyframe == 1)
    agreement = table.agreement
    assert agreement[0] > 0.85 and agreement[1] < -0.5
    right = (table.fused.argmax(dim=1)[rows] == shares.long()).float().mean()
    assert right == 1 and table.fused[rows].amax(dim=1).min() > 0.7
    assert not table.fuse(one, fusion), "nothing has changed since"
    assert not HAND_MADE["confidence"]().reads_agreement
