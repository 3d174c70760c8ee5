"""What a run took: memory of a process, sizes of files. MB are 10^6 bytes everywhere."""

from __future__ import annotations

import os
from pathlib import Path

MB = 1_000_000  # bytes
_KB = 1000


def megabytes(count: float) -> float:
    """Bytes as MB."""
    return count / MB


def size_text(count: int) -> str:
    """Bytes for people: `6.2 MB`, below a tenth of that unit `87 kB`."""
    return f"{megabytes(count):.1f} MB" if count >= MB / 10 else f"{count / _KB:.0f} kB"


def resident_mb() -> float:
    """Resident memory of this process in MB, NaN where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return float("nan")
    return megabytes(pages * os.sysconf("SC_PAGE_SIZE"))


def peak_rss_mb(pid: int | None = None) -> float:
    """Highest resident memory so far of this process (or of `pid`) in MB; NaN where it is not known."""
    try:
        status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return float("nan")
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return round(megabytes(int(line.split()[1]) * 1024), 1)
    return float("nan")
