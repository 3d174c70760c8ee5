"""When each block of a map was last seen, to choose the blocks that are removed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

BlockKey = tuple[int, int, int]


class BlockAges:
    """The last frame that saw each block; `side_m` is a block's edge."""

    def __init__(self, side_m: float) -> None:
        self._side_m = side_m
        self._last: dict[BlockKey, int] = {}

    def __contains__(self, key: BlockKey) -> bool:
        return key in self._last

    def see(self, keys: Iterable[BlockKey], frame: int) -> None:
        """Record that frame number `frame` sees these blocks."""
        self._last.update(dict.fromkeys(keys, frame))

    def forget(self, keys: Iterable[BlockKey]) -> None:
        """Remove these blocks."""
        for key in keys:
            del self._last[key]

    def oldest(self, count: int, but: Collection[BlockKey]) -> list[BlockKey]:
        """At most `count` blocks seen longest ago, none of `but`."""
        by_age = sorted((age, key) for key, age in self._last.items() if key not in but)
        return [key for _, key in by_age[:count]]

    def outside(self, center: np.ndarray, radius_m: float) -> list[BlockKey]:
        """Blocks whose centre is farther than this from `center` [3] (world, metres)."""
        keys = list(self._last)
        middle = (np.array(keys).reshape(-1, 3) + 0.5) * self._side_m
        far = np.linalg.norm(middle - center, axis=1) > radius_m
        return [keys[i] for i in np.flatnonzero(far)]
