"""Judges stamps and frame jumps: zero, duplicate and unordered stamps, clock jumps, jumps of map -> odom. No rclpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from sem_field_ros.geometry.poses import motion_between


class StampVerdict(Enum):
    """What a stamp means; the values of those that lose the message are its drop cause."""

    OK = "ok"
    ZERO = "zero_stamp"
    DUPLICATE = "duplicate_stamp"
    UNORDERED = "unordered_stamp"
    JUMPED_BACK = "clock_jump_back"  # time starts anew: the message is good, everything waiting is not
    GAP = "clock_gap"  # time went far forward: as above, but the map policy for jumps does not apply

    @property
    def usable(self) -> bool:
        """Whether the message itself can be used."""
        return self in (StampVerdict.OK, StampVerdict.JUMPED_BACK, StampVerdict.GAP)


@dataclass
class StampGuard:
    """Follows the stamps of several topics that share one clock.

    A stamp `jump_s` or more behind the newest of any topic is a clock jump; behind its own topic's last by less it
    is unordered. A stamp more than `gap_s` ahead of the newest is a gap.
    """

    jump_s: float
    gap_s: float
    _newest_ns: int | None = None
    _last_ns: dict[str, int] = field(default_factory=dict)

    def check(self, topic: str, stamp_ns: int) -> StampVerdict:
        """Judge one message's stamp and remember it where it is usable."""
        if stamp_ns <= 0:
            return StampVerdict.ZERO
        verdict = self._judge(topic, stamp_ns)
        if verdict in (StampVerdict.JUMPED_BACK, StampVerdict.GAP):
            self.clear()
        if verdict.usable:
            self._last_ns[topic] = stamp_ns
            self._newest_ns = stamp_ns if self._newest_ns is None else max(self._newest_ns, stamp_ns)
        return verdict

    def _judge(self, topic: str, stamp_ns: int) -> StampVerdict:
        if self._newest_ns is None:
            return StampVerdict.OK
        ahead_s = (stamp_ns - self._newest_ns) * 1e-9
        if ahead_s < -self.jump_s:
            return StampVerdict.JUMPED_BACK
        if ahead_s > self.gap_s:
            return StampVerdict.GAP
        last_ns = self._last_ns.get(topic)
        if last_ns is None or stamp_ns > last_ns:
            return StampVerdict.OK
        return StampVerdict.DUPLICATE if stamp_ns == last_ns else StampVerdict.UNORDERED

    def clear(self) -> None:
        """Forget all stamps: the next one is the first."""
        self._newest_ns = None
        self._last_ns.clear()


@dataclass
class FrameJumpWatch:
    """Notices when a transform that should move smoothly (map -> odom) jumps between two looks."""

    distance_m: float
    angle_deg: float
    _last: np.ndarray | None = None

    def jumped(self, T_map_odom: np.ndarray) -> tuple[float, float] | None:
        """Return (metres, degrees) where the transform moved more than a limit since the last look, else None."""
        last, self._last = self._last, T_map_odom
        if last is None:
            return None
        metres, radians = motion_between(last, T_map_odom)
        degrees = float(np.degrees(radians))
        return (metres, degrees) if metres > self.distance_m or degrees > self.angle_deg else None

    def clear(self) -> None:
        """Forget the last look."""
        self._last = None
