"""The time of each stage of a SemanticMap, measured from outside; without that of the stages it calls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sem_field_ros.mapping.semantic_map import SemanticMap

VOTING = ("find", "offer", "fuse")  # the stages from a segmented keyframe to labels


class StageTimes:
    """Milliseconds per stage since the last `take`.

    integrate  depth and colour into the voxels
    surface    triangles of the changed blocks, rows of their voxels
    project    image features to those that the fusion keeps (Fusion.project_features)
    find       rows that the keyframe may see, and all else in SemanticMap.vote
    offer      project these rows into the view, sample probabilities, keep the best views
    fuse       fuse the votes on the rows that changed (VoteTable.fuse)
    context    correct the fused labels of changed blocks and those around them, without smoothing; only with context
    smooth     smooth the fused labels before they are read (LabelSmoother.update)
    """

    def __init__(self, semantic_map: SemanticMap) -> None:
        self._spent: dict[str, float] = defaultdict(float)
        self._inner = [0.0]  # time of the stages inside the one that runs
        for stage, owner, name in (
            ("integrate", semantic_map, "integrate"),
            ("find", semantic_map, "vote"),
            ("surface", semantic_map, "_mesh_stale"),
            ("project", semantic_map.fusion, "project_features"),
            ("offer", semantic_map, "_offer"),
            ("fuse", semantic_map.votes, "fuse"),
            ("context", semantic_map._refinement, "_correct"),
            ("smooth", semantic_map._refinement._smoother, "update"),
        ):
            setattr(owner, name, self.timed(stage, getattr(owner, name)))

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, with its own time added to `stage`."""

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
        """Milliseconds per stage; then start from zero."""
        spent, self._spent = dict(self._spent), defaultdict(float)
        self._inner = [0.0]
        return spent
