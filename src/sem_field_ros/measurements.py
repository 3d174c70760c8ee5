"""What a run took: percentiles of its times, memory of a process, size of a file. MB are 10^6 bytes everywhere."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

MB = 1_000_000  # bytes
PERCENTILES = {"p50": 50, "p95": 95}
WINDOW = 300  # latest times of a stage that its percentiles are taken over


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """{p50, p95} of some values, in their unit, to three decimals; empty where there are no values."""
    found = np.fromiter(values, dtype=np.float64)
    if not found.size:
        return {}
    return {name: round(float(np.percentile(found, q)), 3) for name, q in PERCENTILES.items()}


class StageTimings:
    """How long the stages of some repeated work take, in milliseconds. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def add(self, stage: str, milliseconds: float) -> None:
        """Record one duration."""
        with self._lock:
            self._times.setdefault(stage, deque(maxlen=WINDOW)).append(float(milliseconds))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Record how long the block takes."""
        start_s = time.perf_counter()
        yield
        self.add(stage, (time.perf_counter() - start_s) * 1e3)

    def percentiles(self) -> dict[str, dict[str, float]]:
        """Return {p50, p95} of every stage, over its latest WINDOW durations."""
        with self._lock:
            return {stage: percentiles(times) for stage, times in sorted(self._times.items())}


def megabytes(count: float) -> float:
    """Bytes as MB."""
    return count / MB


def size_text(count: int) -> str:
    """A number of bytes for people: `6.2 MB`, below a tenth of that unit `87 kB`."""
    return f"{megabytes(count):.1f} MB" if count >= MB / 10 else f"{1000 * megabytes(count):.0f} kB"


def resident_mb() -> float:
    """Resident memory of this process now, in MB; NaN where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return float("nan")
    return megabytes(pages * os.sysconf("SC_PAGE_SIZE"))


def peak_rss_mb(pid: int | None = None) -> float:
    """Highest resident memory so far of this process (or of `pid`), in MB; NaN where the system does not tell."""
    try:
        status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return float("nan")
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return round(megabytes(int(line.split()[1]) * 1024), 1)
    return float("nan")


def give_back_memory() -> None:
    """Return freed memory to the system where the C library can (glibc keeps it otherwise)."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
