"""Sizes are in MB of 10^6 bytes, wherever they are shown."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.measurements import megabytes, peak_rss_mb, resident_mb, size_text


def test_a_megabyte_has_a_million_bytes() -> None:
    assert megabytes(6_200_000) == 6.2


@pytest.mark.parametrize(("count", "text"), [(6_212_345, "6.2 MB"), (100_000, "0.1 MB"), (87_400, "87 kB")])
def test_sizes_for_people(count: int, text: str) -> None:
    assert size_text(count) == text


def test_resident_memory_grows_by_what_is_taken() -> None:
    before = resident_mb()
    block = np.ones(8_000_000)  # 64 MB
    assert 50 < resident_mb() - before < 90 and block.sum() == 8_000_000


def test_the_peak_is_no_less_than_what_is_resident() -> None:
    assert peak_rss_mb() >= resident_mb() - 1
    assert peak_rss_mb(2**30) != peak_rss_mb(2**30), "an unknown process has no number"
