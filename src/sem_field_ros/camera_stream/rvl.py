"""RVL depth compression (Wilson 2017, "Fast Lossless Depth Image Compression"): 16-bit depth as runs and differences.

A stream of 32-bit words holds nibbles, highest first. A number is its nibbles from the lowest, 3 bits each, the fourth
bit set while more follow. Numbers come as: zeros to skip, count of values, the values as differences to the one before
(0, -1, 1, -2 ... written 0, 1, 2, 3 ...), and so on.
"""

from __future__ import annotations

import numpy as np


def decode_rvl(stream: bytes, count: int) -> np.ndarray:
    """The `count` values, uint16. Raises ValueError if the stream ends early or has more values."""
    numbers = _numbers(stream)
    values = np.zeros(count, np.int64)
    at = place = before = 0
    while place < count:
        if at >= len(numbers):
            raise ValueError(f"the RVL stream ends after {place} of {count} pixels")
        zeros = int(numbers[at])
        present = int(numbers[at + 1]) if at + 1 < len(numbers) else 0
        place, at = place + zeros, at + 2
        if place + present > count or at + present > len(numbers):
            raise ValueError(f"the RVL stream does not fit {count} pixels")
        coded = numbers[at : at + present]
        values[place : place + present] = before + np.cumsum((coded >> 1) ^ -(coded & 1))
        if present:
            before = int(values[place + present - 1])
        place, at = place + present, at + present
    return values.astype(np.uint16)


def _numbers(stream: bytes) -> np.ndarray:
    """All numbers of the nibble stream, int64."""
    words = np.frombuffer(stream[: len(stream) // 4 * 4], "<u4")
    nibbles = (words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32)).reshape(-1) & np.uint32(15)
    ends = np.flatnonzero(nibbles < 8)  # the last nibble of each number
    if not len(ends):
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 16:
        raise ValueError("the RVL stream is damaged: a number of more than 48 bits")
    places = np.arange(ends[-1] + 1) - np.repeat(starts, lengths)
    return np.add.reduceat((nibbles[: ends[-1] + 1] & 7).astype(np.int64) << 3 * places, starts)
