"""Types of command-line arguments that several commands take, and the default number of workers."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def at_least(smallest: Number, kind: Callable[[str], Number]) -> Callable[[str], Number]:
    """A number of type `kind` that is not below `smallest`, for argparse's `type`."""

    def number(text: str) -> Number:
        value = kind(text)
        if not value >= smallest:
            raise argparse.ArgumentTypeError(f"must be at least {smallest}, got {text}")
        return value

    number.__name__ = kind.__name__  # what argparse calls a text that is no number
    return number


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


positive = at_least(1, int)
