"""The progress bar of commands that count what they do."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def counting_progress(console: Console | None = None) -> Progress:
    """What is done, a bar, how many of how many, the time that went and that is left; on stdout or `console`."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)
