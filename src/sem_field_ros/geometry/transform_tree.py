"""A tree of time-stamped transforms with tf2's answers, in plain Python, for nodes and for bags.

Each frame stores the transforms to its parent over the last `cache_s` seconds. Between two stamps the pose is
interpolated, outside of them never extrapolated. A frame may change its parent: each sample has its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.poses import interpolate, inverse, is_position, pose_from_quaternion

QUATERNION_TOLERANCE = 1e-2  # on the squared norm, as in tf2
STRAYS = 2  # up to this many old transforms in a row are strays; one more means that the clock has jumped back
LATEST = 0  # stamp that asks for the newest transform, as in tf2


class TransformError(FrameError):
    """A transform cannot be given. `cause` is one of tf_missing, tf_extrapolation, tf_disconnected, bad_pose.

    `retry` is True if a transform that arrives later can still answer the same lookup.
    """

    def __init__(self, message: str, cause: str, retry: bool = False) -> None:
        super().__init__(message, cause)
        self.retry = retry


@dataclass
class _Track:
    """The history of one child frame: sorted stamps, with the parent and T_parent_child at each."""

    static: bool
    stamps: list[int] = field(default_factory=list)
    samples: list[tuple[str, np.ndarray]] = field(default_factory=list)
    too_old: int = 0  # transforms refused in a row

    def insert(self, stamp_ns: int, parent: str, T: np.ndarray, cache_ns: int) -> bool:
        if self.static:
            self.stamps, self.samples = [stamp_ns], [(parent, T)]
            return True
        if self.stamps:  # as in tf2, old transforms are removed before the new one is added
            oldest = self.stamps[-1] - cache_ns
            old = bisect_left(self.stamps, oldest)
            del self.stamps[:old], self.samples[:old]
            if stamp_ns < oldest:
                self.too_old += 1
                if self.too_old <= STRAYS:
                    return False
                self.stamps, self.samples = [], []
        self.too_old = 0
        at = bisect_left(self.stamps, stamp_ns)
        if at < len(self.stamps) and self.stamps[at] == stamp_ns:
            self.samples[at] = (parent, T)
        else:
            self.stamps.insert(at, stamp_ns)
            self.samples.insert(at, (parent, T))
        return True

    def at(self, child: str, stamp_ns: int) -> tuple[str, np.ndarray]:
        """Parent and T_parent_child at a stamp; raises TransformError outside the stored interval."""
        if not self.samples:
            message = f"no transform of '{child}' since the buffer was cleared"
            raise TransformError(message, "tf_extrapolation", retry=True)
        if self.static or stamp_ns == LATEST:
            return self.samples[-1]
        after = bisect_left(self.stamps, stamp_ns)
        if after < len(self.stamps) and self.stamps[after] == stamp_ns:
            return self.samples[after]
        if after == len(self.stamps):
            raise _extrapolation(child, stamp_ns, self.stamps[-1], "after the newest")
        if after == 0:
            raise _extrapolation(child, stamp_ns, self.stamps[0], "before the oldest")
        (parent, T_a), (parent_b, T_b) = self.samples[after - 1], self.samples[after]
        if parent != parent_b:
            return parent, T_a
        stamp_a, stamp_b = self.stamps[after - 1], self.stamps[after]
        return parent, interpolate(T_a, T_b, (stamp_ns - stamp_a) / (stamp_b - stamp_a))


class TransformTree:
    """Like tf2's buffer: takes transforms by parent and child, returns poses between any two frames.

    Not locked: guard it when several threads use it. `refused` counts transforms that were refused, by cause:
    bad_pose (NaN, denormalised quaternion, beyond MAX_POSITION_M), bad_frame_id, old_transform (before the cache).
    """

    def __init__(self, cache_s: float = 10.0) -> None:
        self.refused: Counter[str] = Counter()
        self._cache_ns = int(cache_s * 1e9)
        self._tracks: dict[str, _Track] = {}
        self._frames: set[str] = set()

    def set_transform(
        self, parent: str, child: str, stamp_ns: int, translation: np.ndarray, xyzw: np.ndarray, static: bool = False
    ) -> bool:
        """Add one transform in the form of TransformStamped. Returns False, and counts the cause, if it is refused."""
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if not parent or not child or parent == child:
            self.refused["bad_frame_id"] += 1
            return False
        q = np.asarray(xyzw, dtype=np.float64)
        if not abs(float(q @ q) - 1.0) < QUATERNION_TOLERANCE or not is_position(translation):
            self.refused["bad_pose"] += 1
            return False
        return self.set_pose(parent, child, stamp_ns, pose_from_quaternion(translation, q, child), static)

    def set_pose(
        self, parent: str, child: str, stamp_ns: int, T_parent_child: np.ndarray, static: bool = False
    ) -> bool:
        """Add one transform as a valid 4x4. Returns False, and counts it, if it is older than the cache."""
        self._frames |= {parent, child}
        track = self._tracks.get(child)
        if track is None or track.static != static:
            track = self._tracks[child] = _Track(static)
        if not track.insert(stamp_ns, parent, T_parent_child, self._cache_ns):
            self.refused["old_transform"] += 1
            return False
        return True

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """Return T_target_source (4x4 float64) at `stamp_ns`; LATEST = the newest stamp that all links have.

        Raises TransformError: tf_missing (a frame was never seen), tf_disconnected (no path between the frames) or
        tf_extrapolation (a path, but not at this stamp).
        """
        target, source = target.lstrip("/"), source.lstrip("/")
        if target == source:
            return np.eye(4)
        for frame in (target, source):
            if frame not in self._frames:
                message = f"frame '{frame}' is not in the TF tree: is its publisher running?"
                raise TransformError(message, "tf_missing", retry=True)
        if stamp_ns == LATEST:
            stamp_ns = self._latest_common(target, source)
        up_source, error_source = self._chain(source, stamp_ns)
        up_target, error_target = self._chain(target, stamp_ns)
        for frame, T_frame_target in up_target.items():
            if frame in up_source:
                return inverse(T_frame_target) @ up_source[frame]
        raise error_source or error_target or _disconnected(target, source)

    def can_transform(self, target: str, source: str, stamp_ns: int) -> bool:
        """Whether lookup would succeed."""
        try:
            self.lookup(target, source, stamp_ns)
        except TransformError:
            return False
        return True

    def frames(self) -> set[str]:
        """Every frame ever named as a parent or a child."""
        return set(self._frames)

    def root_of(self, frame: str) -> str:
        """Return the frame's topmost ancestor, by the newest parents."""
        return self._ancestors(frame.lstrip("/"))[-1]

    def moves(self, frame: str) -> bool:
        """Whether the frame is linked to its topmost ancestor by anything but static transforms."""
        return any(self._tracks[f].static is False for f in self._ancestors(frame.lstrip("/"))[:-1])

    def clear(self) -> None:
        """Forget dynamic transforms; static ones are kept, because they are sent only once."""
        for child, track in self._tracks.items():
            if not track.static:
                self._tracks[child] = _Track(static=False)

    def _chain(self, frame: str, stamp_ns: int) -> tuple[dict[str, np.ndarray], TransformError | None]:
        """T_ancestor_frame of every ancestor within reach at a stamp, and the error that ended it (None: root)."""
        reached = {frame: np.eye(4)}
        T = reached[frame]
        while frame in self._tracks:
            try:
                parent, T_parent_frame = self._tracks[frame].at(frame, stamp_ns)
            except TransformError as error:
                return reached, error
            if parent in reached:
                return reached, TransformError(f"the TF tree has a loop through '{parent}'", "tf_disconnected")
            T = reached[parent] = T_parent_frame @ T
            frame = parent
        return reached, None

    def _ancestors(self, frame: str) -> list[str]:
        """The frame and its ancestors by their newest parents at any stamp."""
        found = [frame]
        while found[-1] in self._tracks and self._tracks[found[-1]].samples:
            parent = self._tracks[found[-1]].samples[-1][0]
            if parent in found:
                break
            found.append(parent)
        return found

    def _latest_common(self, target: str, source: str) -> int:
        """The newest stamp that all links between two frames have; LATEST if only static transforms link them."""
        up_target, up_source = self._ancestors(target), self._ancestors(source)
        common = next((frame for frame in up_target if frame in up_source), None)
        if common is None:
            raise _disconnected(target, source)
        links = up_target[: up_target.index(common)] + up_source[: up_source.index(common)]
        moving = [self._tracks[frame] for frame in links if not self._tracks[frame].static]
        return min((track.stamps[-1] for track in moving), default=LATEST)


def _disconnected(target: str, source: str) -> TransformError:
    message = f"frames '{target}' and '{source}' are not connected in the TF tree"
    return TransformError(message, "tf_disconnected", retry=True)


def _extrapolation(child: str, stamp_ns: int, known_ns: int, where: str) -> TransformError:
    gap_ms = abs(stamp_ns - known_ns) / 1e6
    return TransformError(
        f"no transform of '{child}' at {stamp_ns / 1e9:.3f} s: that is {gap_ms:.1f} ms {where} one known",
        "tf_extrapolation",
        retry=stamp_ns > known_ns,
    )
