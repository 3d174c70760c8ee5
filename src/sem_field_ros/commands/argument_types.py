"""Command-line arguments that several commands take, their types, and the default number of workers."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sem_field_ros.errors import SegmenterError
from sem_field_ros.segmentation.registry import SEGMENTERS, check_segmenter

Number = TypeVar("Number", int, float)


def at_least(smallest: Number, kind: Callable[[str], Number]) -> Callable[[str], Number]:
    """A number of type `kind` that is not below `smallest`, for argparse's `type`."""

    def number(text: str) -> Number:
        value = kind(text)
        if not value >= smallest:
            raise argparse.ArgumentTypeError(f"must be at least {smallest}, got {text}")
        return value

    number.__name__ = kind.__name__  # what argparse calls a text that is not a number
    return number


def folder(text: str) -> Path:
    """A folder that is there, for argparse's `type`."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path}")
    return path


def segmenter_name(text: str) -> str:
    """A name of segmentation.registry.SEGMENTERS, for argparse's `type`: a mistake costs no import of torch."""
    try:
        return check_segmenter(text)
    except SegmenterError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("segmenter ")) from None


def add_segmenter(parser: argparse._ActionsContainer, default: str | None, **given: Any) -> None:
    """Add --segmenter; `given` goes to add_argument, `help` too where its names need more words."""
    given = {"help": f"what labels the images: {', '.join(SEGMENTERS)} (default {default})"} | given
    parser.add_argument("--segmenter", type=segmenter_name, default=default, metavar="NAME", **given)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


positive = at_least(1, int)


def positive_number(text: str) -> float:
    """A finite number above 0, for argparse's `type`."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value
