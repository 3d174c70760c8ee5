"""Temperature scaling against values known by hand."""

from __future__ import annotations

import math

import pytest
import torch

from sem_field_ros.training.validation.calibration import fitted_temperature, sampled_pixels


def test_temperature_by_hand() -> None:
    """Two classes, scores (2, 0), right three times of four: softmax(2 / T) = 3/4 where 2 / T = ln 3."""
    logits = torch.tensor([[2.0, 0.0]] * 4)
    assert fitted_temperature(logits, torch.tensor([0, 0, 0, 1])) == pytest.approx(2 / math.log(3), rel=1e-3)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_finds_the_temperature_that_labels_were_drawn_with(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 6, generator=generator) * 3
    index = torch.multinomial(torch.softmax(logits / temperature, dim=1), 1, generator=generator)[:, 0]
    assert fitted_temperature(logits, index) == pytest.approx(temperature, rel=0.05)


def test_the_most_probable_class_stays() -> None:
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    t = fitted_temperature(logits, torch.zeros(50, dtype=torch.int64))
    assert torch.equal((logits / t).argmax(1), logits.argmax(1))


def test_sampled_pixels_are_labelled_ones_with_their_scores() -> None:
    index = torch.tensor([[0, -1, 2], [-1, 1, 2]])
    logits = torch.stack([index.float(), index.float() * 10])  # scores that tell the label
    for count, expected in ((10, 4), (2, 2)):
        scores, labels = sampled_pixels(logits, index, count, seed=0)
        assert scores.shape == (expected, 2) and (labels >= 0).all()
        assert torch.equal(scores[:, 0], labels.float()) and torch.equal(scores[:, 1], labels.float() * 10)
