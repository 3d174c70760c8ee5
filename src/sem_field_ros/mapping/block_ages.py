"""When each block of a map was last seen: who leaves when the map is full or the robot has gone far."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

BlockKey = tuple[int, int, int]


class BlockAges:
    """Numbers of the frames that saw blocks last; `side_m` is a block's edge."""

    def __init__(self, side_m: float) -> None:
        self._side_m = side_m
        self._last: dict[BlockKey, int] = {}

    def __contains__(self, key: BlockKey) -> bool:
        return key in self._last

    def see(self, keys: Iterable[BlockKey], frame: int) -> None:
        """Frame number `frame` sees these blocks."""
        self._last.update(dict.fromkeys(keys, frame))

    def forget(self, keys: Iterable[BlockKey]) -> None:
        """These blocks are gone."""
        for key in keys:
            del self._last[key]

    def oldest(self, count: int, but: Collection[BlockKey]) -> list[BlockKey]:
        """At most `count` blocks that were not seen for longest, none of `but`."""
        by_age = sorted((age, key) for key, age in self._last.items() if key not in but)
        return [key for _, key in by_age[:count]]

    def outside(self, center: np.ndarray, radius_m: float) -> list[BlockKey]:
        """Blocks whose middle is farther than this from `center` [3] (world, metres)."""
        keys = list(self._last)
        middle = (np.array(keys).reshape(-1, 3) + 0.5) * self._side_m
        far = np.linalg.norm(middle - center, axis=1) > radius_m
        return [keys[i] for i in np.flatnonzero(far)]
