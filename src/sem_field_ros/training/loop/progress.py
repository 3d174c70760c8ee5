"""The progress bar of a training run on stderr: steps, loss, time; shown by the first process only."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class StepProgress:
    """A context manager; call `show` after every step. Shows nothing unless `enabled`."""

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
        """Show that `step` steps are done, and the loss of the last one."""
        self._progress.update(self._task, completed=step, note=f"loss {loss:.3f}")

    def note(self, text: str) -> None:
        """Show a text in place of the loss, e.g. that the model is being validated."""
        self._progress.update(self._task, note=text)

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, highlight=False, soft_wrap=True)
