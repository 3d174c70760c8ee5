"""Errors a user can act on: each message is one line that says what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LIKE_ENOUGH = 0.6


class SemFieldError(Exception):
    """Base of every error this package raises on purpose."""


class FrameError(SemFieldError):
    """A camera frame cannot be used (bad intrinsics, pose, image or depth). `cause` is a short counter name."""

    def __init__(self, message: str, cause: str = "bad_frame") -> None:
        super().__init__(message)
        self.cause = cause


class LabelSetError(SemFieldError):
    """A label set cannot be read, or does not fit what it is used with."""


class SegmenterError(SemFieldError):
    """A segmenter cannot be made (missing file, wrong shape, missing package) or cannot segment a frame."""


class MapFileError(SemFieldError):
    """A map file is missing, damaged, from another version, or outside the maps directory."""


class DataError(SemFieldError):
    """A data set folder or bag is missing or malformed."""


class SettingError(SemFieldError):
    """A setting (flag, node parameter, configuration file) has the wrong type or lies outside its range."""


class UsageError(SemFieldError):
    """A command line that cannot be understood. `command` is what the line begins with: `sem-field map`."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(message)
        self.command = command


class OutputError(SemFieldError):
    """A result file cannot be written (disk full, read-only, no such folder)."""


class WeightsError(SemFieldError):
    """A model's weights are missing, damaged, or not those of the network they are loaded into."""


class TrainingError(SemFieldError):
    """A training run cannot start or go on (no such run, other settings than it began with, loss not finite)."""


class ViewerError(SemFieldError):
    """The viewer cannot be shown (no browser, no free port), or a page is not what was waited for."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error line that names what is most like `word`: `; did you mean demo?`, or empty."""

    def likeness(name: str) -> float:
        typed, whole = word.lstrip("-"), name.lstrip("-")
        start = whole[: len(typed) + 1]  # a name that was cut short
        return max(difflib.SequenceMatcher(None, typed, part).ratio() for part in (whole, start))

    best = max(known, key=likeness, default="")
    return f"; did you mean {best}?" if best and likeness(best) >= _LIKE_ENOUGH else ""
