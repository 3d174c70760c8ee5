"""Detects jumps: gaps between stamps, jumps of the transform map -> odom. Works without ROS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from sem_field_ros.geometry.poses import motion_between


@dataclass
class FrameJumpWatch:
    """Detects when a transform that should move smoothly (map -> odom) jumps.

    It is compared with itself `window_s` ago, not only with its last value: interpolation between two stamps spreads a
    jump over the frames in between.
    """

    window_s: float = 0.5
    _past: deque[tuple[int, np.ndarray]] = field(default_factory=deque)

    def jumped(
        self, stamp_ns: int, T_map_odom: np.ndarray, distance_m: float, angle_deg: float
    ) -> tuple[float, float] | None:
        """Return (metres, degrees) where the transform moved more than a limit within the window, else None."""
        while self._past and not 0 <= stamp_ns - self._past[0][0] <= self.window_s * 1e9 and len(self._past) > 1:
            self._past.popleft()
        before = self._past[0][1] if self._past else T_map_odom
        self._past.append((stamp_ns, T_map_odom))
        metres, radians = motion_between(before, T_map_odom)
        degrees = float(np.degrees(radians))
        if metres <= distance_m and degrees <= angle_deg:
            return None
        self.clear()
        self._past.append((stamp_ns, T_map_odom))
        return metres, degrees

    def clear(self) -> None:
        """Forget all earlier values."""
        self._past.clear()


@dataclass
class SpeedWatch:
    """Detects camera motion that is impossible: visual odometry that starts anew, a wrong frame."""

    least_m: float = 0.3  # shorter jumps are noise
    _last: tuple[int, np.ndarray] | None = None

    def too_fast(self, stamp_ns: int, T_world_camera: np.ndarray, limit_m_s: float) -> tuple[float, float] | None:
        """Return (metres, seconds) since the last frame where that is faster than the limit, else None."""
        last, self._last = self._last, (stamp_ns, T_world_camera)
        if last is None or stamp_ns <= last[0]:
            return None
        metres, seconds = motion_between(last[1], T_world_camera)[0], (stamp_ns - last[0]) * 1e-9
        return (metres, seconds) if metres > self.least_m and metres > limit_m_s * seconds else None

    def clear(self) -> None:
        """Forget the last frame."""
        self._last = None


@dataclass
class GapWatch:
    """Detects when the stamps of frames go forward by a lot: a paused camera, a clock set forward."""

    gap_s: float
    _last_ns: int | None = None

    def gap(self, stamp_ns: int) -> float | None:
        """Return the gap in seconds where the stamp is more than `gap_s` after the last one, else None."""
        last, self._last_ns = self._last_ns, stamp_ns
        if last is None or (stamp_ns - last) * 1e-9 <= self.gap_s:
            return None
        return (stamp_ns - last) * 1e-9
