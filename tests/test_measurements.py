"""Percentiles and memory of a run: values known by hand."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from sem_field_ros.measurements import (
    WINDOW,
    StageTimings,
    megabytes,
    peak_rss_mb,
    percentiles,
    resident_mb,
    size_text,
)


def test_percentiles_by_hand() -> None:
    assert percentiles(range(101)) == {"p50": 50.0, "p95": 95.0}
    assert percentiles(float(i) for i in (3, 1, 2)) == {"p50": 2.0, "p95": 2.9}
    assert percentiles([]) == {}


def test_timings_forget_what_is_old() -> None:
    timings = StageTimings()
    for value in [1e6, *range(WINDOW)]:
        timings.add("integrate", value)
    with timings.timed("fuse"):
        pass
    found = timings.percentiles()
    assert list(found) == ["fuse", "integrate"]
    assert found["integrate"] == pytest.approx({"p50": (WINDOW - 1) / 2, "p95": 0.95 * (WINDOW - 1)})
    assert 0 <= found["fuse"]["p50"] < 1000


def test_resident_memory_grows_with_what_is_touched() -> None:
    before = resident_mb()
    with mmap.mmap(-1, 64_000_000) as block:  # pages of its own: an allocator hands out pages that are already resident
        block.write(b"x" * len(block))
        assert 48 < resident_mb() - before < 86


def test_peak_memory_sees_a_large_array() -> None:
    block = np.ones(40_000_000, np.uint8)  # 40 MB, touched
    assert peak_rss_mb() > block.nbytes / 1e6
    assert peak_rss_mb() >= 0.9 * resident_mb(), "both are in MB of 10^6 bytes"
    assert np.isnan(peak_rss_mb(2**30)), "an unknown process has no number"


@pytest.mark.parametrize(("count", "text"), [(6_212_345, "6.2 MB"), (100_000, "0.1 MB"), (87_400, "87 kB")])
def test_sizes_for_people(count: int, text: str) -> None:
    assert size_text(count) == text and megabytes(count) == count / 1e6
