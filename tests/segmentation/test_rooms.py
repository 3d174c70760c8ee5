"""The net with two heads: before training its second head is the first one, regrouped; values known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.segmentation.architectures import build_network
from sem_field_ros.segmentation.mosaic import tiny
from sem_field_ros.segmentation.rooms import RoomsConfig, RoomsNet, common_groups, divergence, shares_of

# first: wall, table, armchair, chair, other    second: wall, table, desk, chair, sink
ASSIGNMENT = torch.tensor([[1.0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
BACK = np.array([0, 1, 1, 3, -1])


def net() -> RoomsNet:
    torch.manual_seed(0)
    made = RoomsNet(RoomsConfig(tiny(5), 5, width=8)).eval()
    made.get_buffer("shares").copy_(shares_of(ASSIGNMENT))
    return made


def test_other_goes_to_the_classes_that_nothing_is_assigned_to() -> None:
    shares = shares_of(ASSIGNMENT)
    assert torch.equal(shares[:4], ASSIGNMENT[:4])
    assert shares[4].tolist() == [0, 0, 0.5, 0, 0.5]
    assert shares_of(torch.tensor([[1.0, 0], [0, 1], [0, 0]]))[2].tolist() == [0.5, 0.5]


def test_before_training_the_second_head_is_the_first_regrouped() -> None:
    model, image = net(), torch.rand(1, 3, 32, 48)
    first, second = model(image, both=True)
    wanted = torch.einsum("bchw,cd->bdhw", first.softmax(dim=1), shares_of(ASSIGNMENT))
    assert second.shape == (1, 5, 8, 12)
    assert torch.allclose(second.softmax(dim=1), (wanted + 1e-3) / 1.005, atol=1e-6)
    scores, features = model.scores_and_features(image)
    assert torch.equal(scores, second) and features.shape[1] == 8
    assert torch.equal(first, model.first(image)), "the first head is MOSAIC's"


def test_begun_by_another_net_of_the_same_first_blocks() -> None:
    model, image = net(), torch.rand(2, 3, 32, 48)
    for blocks in (1, 3, 5):
        begun = model.first.begin(image, blocks)
        assert torch.allclose(model(image, begun=begun), model(image), atol=1e-6)


def test_architecture_is_read_back() -> None:
    config = net().config
    again = build_network(config.as_dict())
    assert isinstance(again, RoomsNet) and again.config == config
    with pytest.raises(WeightsError, match="two heads"):
        build_network({"network": "mosaic_rooms", "classes": 3})


def test_groups_by_hand() -> None:
    first, second = common_groups(ASSIGNMENT, BACK)
    assert first.argmax(dim=1).tolist() == [0, 1, 3, 3, 5], "other is in the last group"
    assert second.argmax(dim=1).tolist() == [0, 1, 1, 3, 5], "a desk is a table to the first head, a sink the rest"


def test_divergence_by_hand() -> None:
    first, second = common_groups(ASSIGNMENT, BACK)
    wanted = torch.tensor([0, 1.0, 0, 0, 0]).reshape(1, 5, 1, 1)  # a table
    desk = torch.tensor([0, 0.3, 0.7, 0, 0]).reshape(1, 5, 1, 1)
    wall = torch.tensor([1.0, 0, 0, 0, 0]).reshape(1, 5, 1, 1)
    assert divergence(desk, wanted, second, first).item() == pytest.approx(0, abs=1e-3)
    assert divergence(wall, wanted, second, first).item() > 5
    half = torch.tensor([0.5, 0.5]).reshape(1, 2, 1, 1)
    assert divergence(half, torch.tensor([1.0, 0]).reshape(1, 2, 1, 1)).item() == pytest.approx(np.log(2), abs=2e-3)
