"""The moving average of weights, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sem_field_ros.training.loop.ema import MovingAverage


def test_values_by_hand() -> None:
    """Decay min(0.5, 2/11), min(0.5, 3/12), ... for weights 0 -> 11 -> 8."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0)
        average = MovingAverage(model, 0.5)
        model.weight.fill_(11)
        average.update(model)
        assert float(average.state["weight"]) == pytest.approx(9.0)  # 2/11 x 0 + 9/11 x 11
        model.weight.fill_(8)
        average.update(model)
        assert float(average.state["weight"]) == pytest.approx(8.25)  # 1/4 x 9 + 3/4 x 8
        for _ in range(200):
            average.update(model)
        average.state["weight"].fill_(4)
        average.update(model)
        assert float(average.state["weight"]) == pytest.approx(6.0)  # the decay itself by now: half of each


def test_buffers_are_copied_and_the_model_gets_its_weights_back() -> None:
    model = nn.BatchNorm1d(2)
    average = MovingAverage(model, 0.9)
    model(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    with torch.no_grad():
        model.weight.fill_(5)
    average.update(model)
    assert torch.equal(average.state["running_mean"], model.running_mean)
    assert int(average.state["num_batches_tracked"]) == 1
    with average.applied_to(model):
        assert model.weight[0].item() == pytest.approx(1 * 2 / 11 + 5 * 9 / 11)
    assert model.weight[0].item() == 5
