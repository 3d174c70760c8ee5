"""The folder of a run: run.json (settings, commands, git revision), metrics.jsonl, TensorBoard, checkpoint, weights."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sem_field_ros.atomic import atomic_write, write_json
from sem_field_ros.errors import TrainingError
from sem_field_ros.resources import resource_root


class RunFolder:
    """The files of a run. `checkpoint` is what --resume reads; `best` and `last` are weights with their cards."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "checkpoint.safetensors"
        self.best = path / "best.safetensors"
        self.last = path / "last.safetensors"
        self.metrics = path / "metrics.jsonl"
        self.run_file = path / "run.json"

    def begin(self, settings: Mapping[str, Any], *, resume: bool) -> dict[str, Any]:
        """Write run.json of a new run, or check that a resumed one has the settings it began with.

        Returns the content of run.json. Raises TrainingError if there is a run already, none to resume, or a changed
        setting.
        """
        settings = json.loads(json.dumps(settings))  # tuples become lists, as they are in the file
        if not resume:
            if self.run_file.exists():
                raise TrainingError(
                    f"{self.path} already holds a run: continue it with --resume, or choose another --out"
                )
            content = {"settings": settings, "git_revision": git_revision(), "commands": [command_line()]}
            write_json(self.run_file, content)
            return content
        content = self.read()
        changed = _differences(content["settings"], settings)
        if changed:
            raise TrainingError(
                f"{self.path} began with other settings: {'; '.join(changed[:3])}; resume with the same"
            )
        content["commands"] = [*content["commands"], command_line()]
        write_json(self.run_file, content)
        return content

    def read(self) -> dict[str, Any]:
        """The content of run.json. Raises TrainingError if it cannot be read."""
        try:
            content = json.loads(self.run_file.read_text(encoding="utf-8"))
            return {"settings": dict(content["settings"]), **content}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{self.path} holds no training run to resume or export (run.json: {error})") from error

    def forget_after(self, step: int) -> None:
        """Remove the lines of metrics.jsonl after `step`: those steps will be repeated."""
        lines = self.metrics.read_text(encoding="utf-8").splitlines() if self.metrics.exists() else []
        kept = [line for line in lines if _step_of(line) <= step]
        with atomic_write(self.metrics) as file:
            file.write("".join(line + "\n" for line in kept).encode("utf-8"))

    def append(self, values: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # a truncated line
        return float("inf")


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [d for k in keys for d in _differences(old.get(k), new.get(k), f"{name}.{k}".strip("."))]
    return [] if old == new else [f"{name} was {_short(old)}, now {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def command_line() -> str:
    """The running command as it was typed: the program without its folder, the user's home as `~`."""
    home = f"{Path.home()}/"
    arguments = [f"~/{text.removeprefix(home)}" if text.startswith(home) else text for text in sys.argv[1:]]
    return " ".join(
        [Path(sys.argv[0]).name, *(text if text.startswith("~/") else shlex.quote(text) for text in arguments)]
    )


def git_revision() -> str:
    """The git revision of the checkout, with `+changes` if files differ from it; empty outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(resource_root()), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no", "--", "src")
        return git("rev-parse", "HEAD") + ("+changes" if changes else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


class TensorBoard:
    """Writes scalars for TensorBoard to RUN/tensorboard; does nothing if the package is not installed."""

    def __init__(self, folder: Path, step: int, enabled: bool) -> None:
        self._writer: Any = None
        if enabled:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                install = 'pip install "sem_field_ros[train]"'
                print(f"TensorBoard is not installed, writing metrics.jsonl only: {install}", file=sys.stderr)
                return
            self._writer = SummaryWriter(str(folder), purge_step=step)

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Add scalars of one step."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
