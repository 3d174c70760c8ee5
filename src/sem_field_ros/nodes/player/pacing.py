"""Paces a replay by what is mapped: the next frame goes out when the mapper has finished those before. No rclpy."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

SLOW_S = 1.0  # between frames while no answer comes
_PATIENCE = 3.0  # times the longest answer so far, before the mapper counts as silent


class FeedbackPace:
    """Keeps at most `frames_ahead` frames on their way to a mapper that answers with the stamps of finished frames.

    A frame without an answer for `timeout_s` (and for three times the slowest answer so far) is given up. Then a frame
    goes out every second, until an answer comes again. Thread-safe. `clock` gives steady seconds.
    """

    def __init__(self, frames_ahead: int, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_silent = False  # no answer came in time
        self._frames_ahead, self._timeout_s, self._clock = frames_ahead, timeout_s, clock
        self._sent_s: OrderedDict[int, float] = OrderedDict()  # stamps on their way, oldest first
        self._news_s = clock()  # when a frame was last sent, answered or given up
        self._slowest_s = 0.0
        self._changed = threading.Condition()

    def sent(self, stamp_ns: int) -> None:
        """Note a frame that is about to be published."""
        with self._changed:
            self._sent_s[stamp_ns] = self._news_s = self._clock()

    def done(self, stamp_ns: int) -> None:
        """Note an answer. Frames sent before it are finished as well, or were lost on the way."""
        with self._changed:
            self.is_silent = False
            self._news_s = self._clock()
            if stamp_ns in self._sent_s:
                self._slowest_s = max(self._slowest_s, self._news_s - self._sent_s[stamp_ns])
                while self._sent_s.popitem(last=False)[0] != stamp_ns:
                    pass
            self._changed.notify_all()

    def wait_for_turn(self, timeout_s: float) -> bool:
        """Wait until the next frame may go out, at most `timeout_s`; return whether it may."""
        return self._wait(self._frames_ahead - 1, timeout_s)

    def wait_for_all(self, timeout_s: float) -> bool:
        """Wait until every frame is answered or given up, at most `timeout_s`; return whether that is so."""
        return self._wait(0, timeout_s)

    def _wait(self, most: int, timeout_s: float) -> bool:
        """Wait until at most `most` frames are on their way."""
        with self._changed:
            if len(self._sent_s) > most:
                self._changed.wait(timeout_s)
            patience_s = SLOW_S if self.is_silent else max(self._timeout_s, _PATIENCE * self._slowest_s)
            if len(self._sent_s) > most and self._clock() - self._news_s >= patience_s:
                self._sent_s.popitem(last=False)
                self._news_s = self._clock()
                self.is_silent = True
            return len(self._sent_s) <= most
