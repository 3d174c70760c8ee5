"""Who leaves a full map, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.mapping.block_ages import BlockAges


def _ages() -> BlockAges:
    ages = BlockAges(0.4)
    ages.see([(0, 0, 0), (1, 0, 0), (5, 0, 0)], 1)
    ages.see([(1, 0, 0), (0, 9, 0)], 2)
    return ages


def test_the_oldest_leave_first_but_for_what_is_seen_now() -> None:
    ages = _ages()
    assert ages.oldest(2, ()) == [(0, 0, 0), (5, 0, 0)]
    assert ages.oldest(9, {(0, 0, 0)}) == [(5, 0, 0), (0, 9, 0), (1, 0, 0)]
    assert ages.oldest(0, ()) == []


def test_outside_is_by_the_blocks_middle() -> None:
    ages = _ages()
    assert ages.outside(np.zeros(3), 2.0) == [(5, 0, 0), (0, 9, 0)]  # their middles are 2.2 and 3.8 m away
    assert ages.outside(np.array([2.2, 0.2, 0.2]), 1.7) == [(0, 0, 0), (0, 9, 0)]
    assert BlockAges(0.4).outside(np.zeros(3), 1.0) == []


def test_what_is_forgotten_is_gone() -> None:
    ages = _ages()
    ages.forget([(5, 0, 0)])
    assert (5, 0, 0) not in ages and (1, 0, 0) in ages
    with pytest.raises(KeyError):
        ages.forget([(5, 0, 0)])
