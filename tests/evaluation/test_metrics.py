"""Segmentation metrics: values known by hand, torchmetrics, and the rules about what is not scored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index

from sem_field_ros.evaluation.metrics import Confusion, transfer_labels


def test_known_by_hand():
    confusion = Confusion(3)
    confusion.add(np.array([0, 0, 0, 0, 1, 1, -1, -1]), np.array([0, 0, 1, -1, 1, 0, 2, 0]))
    scores = confusion.scores()
    # class 0: right 2, labels 4, predicted (where labelled) 3 -> 2/5; class 1: right 1, labels 2, predicted 2 -> 1/3
    assert scores.iou == {0: pytest.approx(2 / 5), 1: pytest.approx(1 / 3)}
    assert scores.miou == pytest.approx((2 / 5 + 1 / 3) / 2)  # class 2 is not in the labels
    assert scores.accuracy == pytest.approx(3 / 6)
    assert scores.class_accuracy == {0: pytest.approx(0.5), 1: pytest.approx(0.5)}
    assert scores.coverage == pytest.approx(5 / 6)
    assert scores.samples == 6
    covered = confusion.covered().scores()  # class 0: right 2, labels 3, predicted 3 -> 2/4
    assert covered.iou == {0: pytest.approx(1 / 2), 1: pytest.approx(1 / 3)}
    assert covered.samples == 5 and covered.coverage == 1 and confusion.scores() == scores


def test_same_as_torchmetrics_where_all_is_predicted():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 6, 5000)
    predictions = np.where(rng.random(5000) < 0.6, np.maximum(labels, 0), rng.integers(0, 6, 5000))
    confusion = Confusion(6)
    for part in np.array_split(np.arange(5000), 7):  # added in pieces
        confusion.add(labels[part], predictions[part])
    scores = confusion.scores()
    p, t = torch.from_numpy(predictions), torch.from_numpy(labels)
    iou = multiclass_jaccard_index(p, t, num_classes=6, average="macro", ignore_index=-1)
    assert scores.miou == pytest.approx(float(iou), abs=1e-6)
    micro = multiclass_accuracy(p, t, num_classes=6, average="micro", ignore_index=-1)
    assert scores.accuracy == pytest.approx(float(micro), abs=1e-6)
    macro = multiclass_accuracy(p, t, num_classes=6, average="macro", ignore_index=-1)
    assert scores.mean_accuracy == pytest.approx(float(macro), abs=1e-6)


def test_nothing_labelled_scores_nothing():
    confusion = Confusion(3)
    confusion.add(np.full((4, 4), -1), np.ones((4, 4), int))
    scores = confusion.scores()
    assert scores.samples == 0 and scores.miou == 0 and scores.iou == {}


def test_wrong_sizes_and_indices_are_refused():
    with pytest.raises(ValueError, match="differ in size"):
        Confusion(3).add(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="outside"):
        Confusion(3).add(np.zeros(3, int), np.full(3, 3))


def test_labels_travel_no_farther_than_the_limit():
    points = np.array([[0.0, 0, 0], [1, 0, 0]])
    targets = np.array([[0.04, 0, 0], [0.5, 0, 0], [1.0, 0.09, 0]])
    labels, distance = transfer_labels(points, np.array([4, 7]), targets, limit_m=0.1)
    assert labels.tolist() == [4, -1, 7]
    assert distance[1] == pytest.approx(0.5)
    nothing, far = transfer_labels(np.zeros((0, 3)), np.zeros(0), targets, 0.1)
    assert (nothing == -1).all() and np.isinf(far).all()
