"""Label noise: at the given rate, reproducible, in blobs, and never on unlabelled pixels."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.segmentation.label_noise import noisy_labels

IDS = [1, 2, 5, 39]


def _scene() -> np.ndarray:
    labels = np.full((60, 80), 1, np.uint8)
    labels[35:] = 2
    labels[20:45, 10:40] = 5
    labels[:10, 60:] = 255
    labels[:5, :5] = 0
    return labels


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_the_given_share_is_wrong_and_all_ids_are_known(rate: float) -> None:
    labels = _scene()
    known = np.isin(labels, IDS)
    wrong = [(noisy_labels(labels, IDS, seed, rate) != labels)[known].mean() for seed in range(40)]
    assert rate * 0.7 < np.median(wrong) < rate * 1.6
    for seed in range(10):
        noisy = noisy_labels(labels, IDS, seed, rate)
        assert noisy.dtype == labels.dtype and set(np.unique(noisy)) <= {*IDS, 0, 255}
        assert np.array_equal(noisy[~known], labels[~known])


def test_same_seed_same_noise_and_the_input_stays() -> None:
    labels = _scene()
    one, again, other = (noisy_labels(labels, IDS, seed) for seed in ((7, 1), (7, 1), (7, 2)))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    assert np.array_equal(labels, _scene())


def test_noise_comes_in_blobs_not_in_single_pixels() -> None:
    labels = _scene()
    noisy = noisy_labels(labels, IDS, 3, 0.3)
    equal_neighbour = (noisy[:, 1:] == noisy[:, :-1]).mean()
    assert equal_neighbour > 0.9


def test_some_views_fail_as_a_whole() -> None:
    labels = np.full((40, 40), 5, np.uint8)
    failed = [(noisy_labels(labels, IDS, seed, 0.4) != labels).mean() > 0.95 for seed in range(200)]
    assert 0.04 < np.mean(failed) < 0.2  # one in ten


def test_nothing_to_do_and_bad_rates() -> None:
    labels = _scene()
    assert np.array_equal(noisy_labels(labels, IDS, 0, 0.0), labels)
    empty = np.full((5, 5), 255, np.uint8)
    assert np.array_equal(noisy_labels(empty, IDS, 0, 0.5), empty)
    with pytest.raises(ValueError, match="rate"):
        noisy_labels(labels, IDS, 0, 1.5)
