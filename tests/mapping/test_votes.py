"""VoteTable: a row that is given to another voxel starts empty in every column."""

from __future__ import annotations

import torch

from sem_field_ros.mapping.votes import VoteTable


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
