"""The progress bar of a training run: steps, loss, pace, time left; on stderr, of the first process alone."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class StepProgress:
    """A context manager; `show` after every step. Shows nothing where not `enabled`."""

    def __init__(self, name: str, steps: int, enabled: bool) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not enabled)
        self._task = self._progress.add_task(name, total=steps, note="")

    def __enter__(self) -> StepProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, step: int, loss: float) -> None:
        """`step` steps are done."""
        self._progress.update(self._task, completed=step, note=f"loss {loss:.3f}")

    def say(self, note: str) -> None:
        """Show what goes on instead of the loss."""
        self._progress.update(self._task, note=note)

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, highlight=False, soft_wrap=True)
