"""Where a frame's time goes inside a SemanticMap: its stages, timed from outside, each without the stages it calls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sem_field_ros.mapping.semantic_map import SemanticMap

VOTING = ("find", "offer", "vote")  # what turns a segmented keyframe into labels


class StageTimes:
    """Milliseconds per stage since the last `take`.

    integrate  depth and colour into the voxels            surface  triangles of the changed blocks, their voxels' rows
    reduce     image features to the fusion's few          find     rows that the keyframe may see, bookkeeping
    offer      project rows, sample probabilities, keep the best views
    vote       fuse the views of rows that changed          context  what the neighbourhood says, before labels are read
    """

    def __init__(self, semantic_map: SemanticMap) -> None:
        self._spent: dict[str, float] = defaultdict(float)
        self._inner = [0.0]  # time of the stages inside the one that runs
        for stage, owner, name in (
            ("integrate", semantic_map, "integrate"),
            ("find", semantic_map, "vote"),
            ("surface", semantic_map, "_mesh_stale"),
            ("reduce", semantic_map.fusion, "reduce"),
            ("offer", semantic_map, "_offer"),
            ("vote", semantic_map.votes, "fuse"),
            ("context", semantic_map._smoother, "update"),
        ):
            setattr(owner, name, self.timed(stage, getattr(owner, name)))

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, whose own time counts for `stage`."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            self._inner.append(0.0)
            try:
                return call(*args, **kwargs)
            finally:
                spent = time.perf_counter() - start
                self._spent[stage] += (spent - self._inner.pop()) * 1e3
                self._inner[-1] += spent

        return measured

    def take(self) -> dict[str, float]:
        """Milliseconds per stage, and start anew."""
        spent, self._spent = dict(self._spent), defaultdict(float)
        self._inner = [0.0]
        return spent
