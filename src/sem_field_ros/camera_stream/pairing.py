"""Pairs colour, depth and label images and camera_info by stamp, in any order of arrival. Works without ROS.

Queues are bounded, the newest message wins, and dropped messages are counted by cause. A bundle is ready as soon as its
parts have arrived. Stamps of bundles only grow, until the clock jumps back: then pairing starts anew, so that a looped
bag is paired in every pass.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from sem_field_ros.camera_stream.topics import CAMERA_INFO, COLOR, DEPTH, LABELS

_SEEN, _JUDGED = 60, 10  # stamps that are kept of a stream; fewer are too few to judge it


@dataclass(frozen=True)
class FrameBundle:
    """The messages of one frame. `stamp_ns` is the colour image's."""

    stamp_ns: int
    color: Any
    camera_info: Any
    depth: Any | None = None
    labels: Any | None = None


def stamp_ns_of(msg: Any) -> int:
    """Return header.stamp in nanoseconds."""
    return int(msg.header.stamp.sec) * 1_000_000_000 + int(msg.header.stamp.nanosec)


class FramePairer:
    """Messages in, FrameBundles out. Not locked: use it from one thread.

    slop_s      how far a depth or label stamp may lie from the colour stamp; keep it below half a frame period
    queue_size  messages kept per stream while they wait for their partners, and bundles kept until pop()
    want_*      streams a bundle must have; messages of the others are ignored
    jump_s      a stamp this far behind the newest bundle means that the clock jumped back

    `drops` counts by cause: unpaired_color, unpaired_depth, unpaired_labels (no partner came), duplicate_stamp,
    zero_stamp, out_of_order (a later frame was paired already), queue_full (pop was not called in time) and
    clock_jump (messages that waited when the clock jumped back). `clock_jumps` counts the jumps.
    """

    def __init__(
        self,
        slop_s: float = 0.01,
        queue_size: int = 10,
        want_depth: bool = True,
        want_labels: bool = False,
        jump_s: float = 1.0,
    ) -> None:
        if slop_s < 0 or queue_size < 1 or jump_s <= slop_s:
            raise ValueError(f"FramePairer: slop_s={slop_s} queue_size={queue_size} jump_s={jump_s} do not fit")
        self.drops: Counter[str] = Counter()
        self.clock_jumps = 0
        self._slop_ns = round(slop_s * 1e9)
        self._jump_ns = round(jump_s * 1e9)
        self._queue_size = queue_size
        self._images = [COLOR] + [DEPTH] * want_depth + [LABELS] * want_labels
        self._received: Counter[str] = Counter()
        self.last_info: Any | None = None
        self._seen: dict[str, deque[int]] = {stream: deque(maxlen=_SEEN) for stream in self._images}  # stamps
        self._forget()

    def add_color(self, msg: Any) -> None:
        """Add a colour image; it carries the bundle's stamp."""
        self.add(COLOR, stamp_ns_of(msg), msg)

    def add_depth(self, msg: Any) -> None:
        """Add a depth image."""
        self.add(DEPTH, stamp_ns_of(msg), msg)

    def add_labels(self, msg: Any) -> None:
        """Add a label image."""
        self.add(LABELS, stamp_ns_of(msg), msg)

    def add_camera_info(self, msg: Any) -> None:
        """Add a camera_info: one of each frame, or one for all (then its stamp does not matter)."""
        self.add(CAMERA_INFO, stamp_ns_of(msg), msg)

    def add(self, stream: str, stamp_ns: int, msg: Any) -> None:
        """Add a message of COLOR, DEPTH, LABELS or CAMERA_INFO."""
        if stream == CAMERA_INFO:
            self._add_info(stamp_ns, msg)
        elif stream in self._images:
            self._received[stream] += 1
            self._seen[stream].append(stamp_ns)
            if self._accept(stream, stamp_ns):
                self._store(stream, stamp_ns, msg)
        self._match()

    def pop(self) -> FrameBundle | None:
        """Return the oldest complete bundle, each once; None if there is none."""
        return self._ready.popleft() if self._ready else None

    def __len__(self) -> int:
        """Complete bundles that wait for pop()."""
        return len(self._ready)

    def clear(self, cause: str = "clock_jump") -> None:
        """Drop all waiting messages, counted as `cause`; the newest camera_info stays (it may be latched)."""
        waiting = sum(len(queue) for queue in self._queues.values()) + len(self._ready)
        if waiting:
            self.drops[cause] += waiting
        self._forget()

    def finish(self) -> None:
        """At the end of a recording: count what still waits for a partner as unpaired."""
        for stream, queue in self._queues.items():
            if queue:
                self.drops[f"unpaired_{stream}"] += len(queue)
                queue.clear()

    def why_unpaired(self) -> str:
        """Why colour images find no partner, with the offset met and the parameter that cures it; empty if unknown."""
        colors = sorted(self._seen[COLOR])
        for stream in self._images[1:]:
            others = sorted(self._seen[stream])
            if len(colors) < _JUDGED or len(others) < _JUDGED:
                continue
            lag = (colors[-1] - others[-1]) * 1e-9
            period = (colors[-1] - colors[0]) * 1e-9 / (len(colors) - 1)
            offset = min(abs(s - colors[_JUDGED // 2]) for s in others) * 1e-9
            if lag > period * self._queue_size:
                needed = int(lag / period) + 5
                return (
                    f"{stream} images come {lag:.2f} s after colour of their stamp: pairing_queue_size {needed} or more"
                )
            if offset * 1e9 > self._slop_ns:
                return (
                    f"stamps of colour and {stream} differ by {offset * 1e3:.1f} ms, pairing_slop_s is "
                    f"{self._slop_ns * 1e-9:g} s: raise it to {1.2 * offset:.3f}, but not above half the period "
                    f"({period / 2:.3f} s)"
                )
        return ""

    def waiting_for(self) -> list[str]:
        """Streams that a bundle needs and that never came, or that stay away while another one's queue is full."""
        wanted = [*self._images, CAMERA_INFO]
        never = [stream for stream in wanted if not self._received[stream]]
        if never or not any(len(queue) >= self._queue_size for queue in self._queues.values()):
            return never
        return [stream for stream, queue in self._queues.items() if not queue]

    def _forget(self) -> None:
        self._queues: dict[str, dict[int, Any]] = {stream: {} for stream in self._images}  # in order of arrival
        self._infos: dict[int, Any] = {}
        self._info_per_frame = False
        self._ready: deque[FrameBundle] = deque()
        self._gone = dict.fromkeys(self._images, 0)  # newest stamp of each stream that went out
        self._refused_in_a_row = 0

    def _accept(self, stream: str, stamp_ns: int) -> bool:
        if stamp_ns <= 0:
            self.drops["zero_stamp"] += 1
            return False
        if stamp_ns == self._gone[stream]:
            self.drops["duplicate_stamp"] += 1
            return False
        if stamp_ns > self._gone[stream]:
            self._refused_in_a_row = 0
            return True
        self._refused_in_a_row += 1
        # A short step back (a short looped bag) shows only by going on: no stream lags for so many messages.
        if stamp_ns < self._gone[stream] - self._jump_ns or self._refused_in_a_row > self._queue_size:
            self.clock_jumps += 1
            self.clear()
            return True
        self.drops["out_of_order"] += 1
        return False

    def _store(self, stream: str, stamp_ns: int, msg: Any) -> None:
        queue = self._queues[stream]
        if queue.pop(stamp_ns, None) is not None:  # the newest wins
            self.drops["duplicate_stamp"] += 1
        queue[stamp_ns] = msg
        if len(queue) > self._queue_size:
            del queue[next(iter(queue))]
            self.drops[f"unpaired_{stream}"] += 1

    def _add_info(self, stamp_ns: int, msg: Any) -> None:
        self._received[CAMERA_INFO] += 1
        self.last_info = msg
        self._infos[stamp_ns] = msg
        if len(self._infos) > self._queue_size:
            del self._infos[next(iter(self._infos))]

    def _match(self) -> None:
        """Move every complete bundle out, oldest first."""
        for stamp_ns in sorted(self._queues[COLOR]):
            partners = {stream: self._nearest(stream, stamp_ns) for stream in self._images[1:]}
            if None in partners.values() or not self._info_ready(stamp_ns):
                continue
            info = self._infos.get(stamp_ns, self.last_info)
            color = self._take(COLOR, stamp_ns)
            images = {stream: self._take(stream, at) for stream, at in partners.items() if at is not None}
            self._ready.append(FrameBundle(stamp_ns, color, info, images.get(DEPTH), images.get(LABELS)))
            if len(self._ready) > self._queue_size:
                self._ready.popleft()
                self.drops["queue_full"] += 1

    def _nearest(self, stream: str, stamp_ns: int) -> int | None:
        """Stamp of the waiting message nearest to a colour image, if no other waiting colour image is nearer to it."""
        stamps = sorted(self._queues[stream])
        at = bisect_left(stamps, stamp_ns)
        near = [s for s in stamps[max(0, at - 1) : at + 1] if abs(s - stamp_ns) <= self._slop_ns]
        if not near:
            return None
        best = min(near, key=lambda s: abs(s - stamp_ns))
        rival = min(self._queues[COLOR], key=lambda s: (abs(s - best), s))
        return best if rival == stamp_ns else None

    def _take(self, stream: str, stamp_ns: int) -> Any:
        """Take a message out; older ones of its stream can no longer be paired in order."""
        queue = self._queues[stream]
        msg = queue.pop(stamp_ns)
        self._gone[stream] = stamp_ns
        for stale in [s for s in queue if s < stamp_ns]:
            del queue[stale]
            self.drops[f"unpaired_{stream}"] += 1
        return msg

    def _info_ready(self, stamp_ns: int) -> bool:
        """Whether the right camera_info is there: the one of this stamp where each frame has its own, else any."""
        if stamp_ns in self._infos:
            self._info_per_frame = True
            return True
        if self._info_per_frame:
            newest = max(max(self._infos, default=0), max(self._queues[COLOR]))
            if newest <= stamp_ns:
                return False
            self._info_per_frame = False  # it did not come: do not wait for the next ones
        return self.last_info is not None
