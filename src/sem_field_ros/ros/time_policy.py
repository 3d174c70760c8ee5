"""Notices when time or a frame jumps: gaps between stamps, jumps of map -> odom. No rclpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_ros.geometry.poses import motion_between


@dataclass
class FrameJumpWatch:
    """Notices when a transform that should move smoothly (map -> odom) jumps between two looks."""

    _last: np.ndarray | None = None

    def jumped(self, T_map_odom: np.ndarray, distance_m: float, angle_deg: float) -> tuple[float, float] | None:
        """Return (metres, degrees) where the transform moved more than a limit since the last look, else None."""
        last, self._last = self._last, T_map_odom
        if last is None:
            return None
        metres, radians = motion_between(last, T_map_odom)
        degrees = float(np.degrees(radians))
        return (metres, degrees) if metres > distance_m or degrees > angle_deg else None

    def clear(self) -> None:
        """Forget the last look."""
        self._last = None


@dataclass
class GapWatch:
    """Notices when the stamps of frames go forward by a lot: a paused camera, a clock set forward."""

    gap_s: float
    _last_ns: int | None = None

    def gap(self, stamp_ns: int) -> float | None:
        """Return the gap in seconds where the stamp is more than `gap_s` after the last one, else None."""
        last, self._last_ns = self._last_ns, stamp_ns
        if last is None or (stamp_ns - last) * 1e-9 <= self.gap_s:
            return None
        return (stamp_ns - last) * 1e-9
