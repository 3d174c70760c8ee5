"""Which depth of a frame a map can use, and why a map stayed empty: in numbers, for messages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from sem_field_ros.mapping.config import MapConfig

NO_DEPTH, TOO_FAR, TOO_NEAR, USED = "no_valid_depth", "depth_beyond_range", "depth_below_range", "used"
_STEP = 4  # every 4th row and column is looked at
_NEAR_M = 0.35
_LEAST_SHARE = 0.001  # of the pixels: fewer in range are strays


@dataclass(frozen=True)
class DepthUse:
    """What a depth image offers a map. `kind` is one of the constants above; `median_m` is NaN without valid depth."""

    kind: str
    median_m: float

    def reason(self, config: MapConfig) -> str:
        """Why it cannot be used, with the value met and what to do; empty if it can."""
        limits = f"depth_min_m {config.depth_min_m:g}, depth_max_m {config.depth_max_m:g}"
        if self.kind == NO_DEPTH:
            return "all its depth is 0, NaN or infinite: check the depth camera (depth_source: predicted needs none)"
        if self.kind == TOO_FAR:
            return f"its median depth is {self.median_m:.3g} m, beyond the range ({limits}): {_units(self.median_m)}"
        if self.kind == TOO_NEAR:
            return f"its median depth is {self.median_m:.3g} m, below the range ({limits}): {_units(self.median_m)}"
        return ""


def depth_use(depth: np.ndarray, config: MapConfig) -> DepthUse:
    """Look at a clean depth image [h, w] (metres, 0 invalid)."""
    seen = depth[::_STEP, ::_STEP] if min(depth.shape) >= 8 * _STEP else depth
    valid = seen[seen > 0]
    if not len(valid):
        return DepthUse(NO_DEPTH, float("nan"))
    median = float(np.median(valid))
    used = np.count_nonzero((valid >= config.depth_min_m) & (valid <= config.depth_max_m))
    if used > _LEAST_SHARE * seen.size:
        return DepthUse(USED, median)
    return DepthUse(TOO_FAR if median > config.depth_max_m else TOO_NEAR, median)


@dataclass
class DepthRecord:
    """The depth of all frames of a run."""

    counts: Counter[str] = field(default_factory=Counter)
    last: dict[str, DepthUse] = field(default_factory=dict)

    def add(self, use: DepthUse) -> None:
        """Count one frame."""
        self.counts[use.kind] += 1
        self.last[use.kind] = use

    def doubt(self) -> str:
        """What to look at where depth is in range but nearer than rooms are; else empty."""
        use = self.last.get(USED)
        if use is None or use.median_m >= _NEAR_M:
            return ""
        return f"the median depth is only {use.median_m:.2g} m: if its unit is another, set depth_units_per_m"

    def why_empty(self, config: MapConfig) -> str:
        """Why a map of these frames has no point."""
        frames = self.counts.total()
        bad = [(count, kind) for kind, count in self.counts.items() if kind != USED]
        if bad and self.counts[USED] < config.min_weight:
            count, kind = max(bad)
            return f"{count} of {frames} frames have no depth in range; of the last, {self.last[kind].reason(config)}"
        if frames < config.min_weight:
            return f"a voxel becomes surface after min_weight {config.min_weight:g} frames, and {frames} came: lower it"
        return (
            f"no voxel was seen by min_weight {config.min_weight:g} of the {frames} frames: check that poses are "
            "camera to world in metres and that the intrinsics are those of the images"
        )


def _units(median_m: float) -> str:
    """What to do about a median depth out of range."""
    if median_m >= 100:
        return "millimetres as metres? set depth_units_per_m, or depth in metres"
    return "set depth_units_per_m if its unit is another, or the range"
