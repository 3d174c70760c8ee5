"""Levels of diagnostics: silent topics, lost frames, values above their limits; for every node with a camera."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sem_field_ros.camera_stream.statistics import InputSnapshot
from sem_field_ros.nodes.camera_node_options import CameraNodeOptions
from sem_field_ros.ros.mapper_status import ACTIVE, ERROR, OK, WARN

_JUDGED_FRAMES = 5

Health = tuple[int, str]  # level and text; an empty text means "ok"


def input_health(
    received: InputSnapshot,
    recent_used: int,
    lifecycle: str,
    paused: bool,
    notes: Iterable[str],
    options: CameraNodeOptions,
    losses: LossWatch,
    without_depth: str = "depth_source: predicted",
) -> Health:
    """Health of a camera input: `recent_used` frames of those since the last snapshot did not get lost.

    without_depth  the parameters for a camera without depth
    """
    lost = losses.judge(received, recent_used, options)
    if lifecycle != ACTIVE:
        return OK, lifecycle
    if paused:
        return OK, "paused"
    problems = [
        _silence(received, topic, silent_s, options, without_depth) for topic, silent_s in received.silent_s.items()
    ]
    problems.append(lost)
    return worst([*problems, *((WARN, note) for note in notes)])


def _silence(
    received: InputSnapshot, topic: str, silent_s: float, options: CameraNodeOptions, without_depth: str
) -> Health:
    if silent_s < options.warn_input_timeout_s:
        return OK, ""
    level = ERROR if silent_s >= options.error_input_timeout_s else WARN
    if topic in received.never_came:
        hint = f" (a camera without depth: {without_depth})" if "depth" in topic else ""
        return level, f"{topic} never came: check the camera driver, the topic's remapping and its QoS{hint}"
    return level, f"{topic} silent for {silent_s:.1f} s"


class LossWatch:
    """Judges the share of lost frames over enough of them, whatever the rates of camera and diagnostics.

    Between two judgements the last one stands. The cause it names is the most frequent since the one before.
    """

    def __init__(self) -> None:
        self._came = self._used = 0
        self._drops: Counter[str] = Counter()  # until the last judgement
        self._verdict: Health = OK, ""

    def judge(self, received: InputSnapshot, recent_used: int, options: CameraNodeOptions) -> Health:
        """Take in what came since the last call."""
        self._came, self._used = self._came + received.recent_in, self._used + recent_used
        if self._came >= _JUDGED_FRAMES:
            ratio = max(0.0, 1 - self._used / self._came)
            causes = Counter(received.drops) - self._drops
            self._verdict = self._levelled(ratio, causes, options)
            self._came, self._used, self._drops = 0, 0, Counter(received.drops)
        return self._verdict

    @staticmethod
    def _levelled(ratio: float, causes: Counter[str], options: CameraNodeOptions) -> Health:
        if not causes or ratio <= options.warn_drop_ratio:  # frames that still wait are not lost
            return OK, ""
        level = ERROR if ratio > options.error_drop_ratio else WARN
        return level, f"{100 * ratio:.0f} % of the frames lost (most often: {causes.most_common(1)[0][0]})"


def above(value: float, warn: float, error: float, what: str, unit: str) -> Health:
    """WARN or ERROR for a value above its limits."""
    if not value > warn:  # NaN: nothing measured
        return OK, ""
    limit = error if value > error else warn
    return (ERROR if value > error else WARN), f"{what} {value:.0f} {unit} is above {limit:g} {unit}"


def worst(problems: Iterable[Health]) -> Health:
    """The highest level, and all texts that are not OK in one line."""
    found = [(level, text) for level, text in problems if level > OK]
    return max((level for level, _ in found), default=OK), "; ".join(text for _, text in found if text)
