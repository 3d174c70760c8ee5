"""Calibration: values known by hand, torchmetrics, and what does not count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from sem_field_ros.evaluation.calibration import Calibration


def _probabilities(seed: int, classes: int = 5, samples: int = 4000, sharp: float = 2.0):
    rng = np.random.default_rng(seed)
    logits = sharp * rng.normal(size=(classes, samples))
    p = np.exp(logits) / np.exp(logits).sum(0)
    return p.astype(np.float32), rng.integers(0, classes, samples)


def test_known_by_hand():
    calibration = Calibration(bins=10)
    # confidences 0.75 (right), 0.75 (wrong), 0.95 (right), two classes
    p = np.array([[0.75, 0.75, 0.05], [0.25, 0.25, 0.95]])
    calibration.add(p, np.array([0, 1, 1]))
    scores = calibration.scores()
    assert scores.samples.tolist() == [0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
    assert scores.accuracy[7] == 0.5 and scores.confidence[7] == 0.75
    assert scores.ece == pytest.approx((2 * 0.25 + 1 * 0.05) / 3)
    assert scores.mce == pytest.approx(0.25)
    assert scores.nll == pytest.approx(-(np.log(0.75) + np.log(0.25) + np.log(0.95)) / 3)
    assert scores.brier == pytest.approx((2 * 0.25**2 + 2 * 0.75**2 + 2 * 0.05**2) / 3)


def test_same_as_torchmetrics_whatever_the_pieces():
    p, labels = _probabilities(0)
    calibration = Calibration()
    for part in np.array_split(np.arange(len(labels)), 7):
        calibration.add(p[:, part], labels[part])
    scores = calibration.scores()
    mine = torch.from_numpy(p.T.copy()), torch.from_numpy(labels)
    for norm, value in (("l1", scores.ece), ("max", scores.mce)):
        theirs = multiclass_calibration_error(*mine, num_classes=5, n_bins=15, norm=norm)
        assert value == pytest.approx(float(theirs), abs=1e-5)
    nll = torch.nn.functional.nll_loss(mine[0].log(), mine[1])
    assert scores.nll == pytest.approx(float(nll), rel=1e-5)
    one_hot = np.eye(5)[labels]
    assert scores.brier == pytest.approx(((p.T - one_hot) ** 2).sum(1).mean(), rel=1e-5)


def test_honest_probabilities_are_calibrated_and_sharpened_ones_are_not():
    p, _ = _probabilities(1, samples=60_000, sharp=1.0)
    rng = np.random.default_rng(2)
    labels = (p.cumsum(0) < rng.random(p.shape[1])).sum(0).clip(0, 4)  # drawn as the probabilities say
    honest, sharpened = Calibration(), Calibration()
    honest.add(p, labels)
    sharpened.add(p**3 / (p**3).sum(0), labels)
    assert honest.scores().ece < 0.01 < 0.2 < sharpened.scores().ece
    assert honest.scores().nll < sharpened.scores().nll and honest.scores().brier < sharpened.scores().brier


def test_what_does_not_count():
    calibration = Calibration()
    calibration.add(np.zeros((3, 4, 4)), np.zeros((4, 4), int))  # no probabilities
    calibration.add(np.full((3, 4, 4), 1 / 3), np.full((4, 4), -1))  # no label
    assert calibration.scores() is None
    with pytest.raises(ValueError, match="do not fit"):
        calibration.add(np.zeros((3, 4, 4)), np.zeros((4, 5), int))


def test_certainty_is_in_the_last_bin_and_a_wrong_one_costs_a_finite_amount():
    calibration = Calibration(bins=4)
    calibration.add(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([0, 1]))
    scores = calibration.scores()
    assert scores.samples.tolist() == [0, 0, 0, 2] and scores.ece == 0.5
    assert scores.nll == pytest.approx(-np.log(1e-6) / 2) and scores.brier == pytest.approx(1.0)
