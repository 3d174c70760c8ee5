"""A command that failed leaves no empty folder behind: what it made for its results and did not fill goes again."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

OUTPUT_ARGUMENTS = ("out", "picture", "sheet", "votes")  # of any command: folders and files that it writes


def targets_of(args: argparse.Namespace) -> list[Path]:
    """The folders and files that a command was told to write."""
    values = [getattr(args, name, None) for name in OUTPUT_ARGUMENTS]
    return [value for value in values if isinstance(value, Path)]


class OutputFolders:
    """The folders that are there before a command runs; `remove_empty` then removes those that are new and empty."""

    def __init__(self, targets: Iterable[Path]) -> None:
        """targets: the folders and files that the command is to write."""
        self._targets = [target.absolute() for target in targets]
        self._missing = {path for t in self._targets for path in (t, *t.parents) if not path.exists()}
        self._entries = {entry for target in self._targets for entry in _folders_in(target)}

    def remove_empty(self) -> None:
        """Remove the empty folders that have come since, the innermost first."""
        for target in self._targets:
            for folder in _folders_in(target):
                if folder not in self._entries:
                    _remove_if_empty(folder)
        for path in sorted(self._missing, key=lambda path: -len(path.parts)):
            _remove_if_empty(path)


@contextlib.contextmanager
def no_empty_folders(targets: Iterable[Path]) -> Iterator[OutputFolders]:
    """Remove the new and empty folders of `targets` where the block raises; a command that fails by its exit code is
    left to the caller."""
    folders = OutputFolders(targets)
    try:
        yield folders
    except BaseException:
        folders.remove_empty()
        raise


def _folders_in(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:  # a file, or nothing there
        return []


def _remove_if_empty(path: Path) -> None:
    """Remove a folder in which there are, at any depth, only folders."""
    for entry in _folders_in(path):
        _remove_if_empty(entry)
    with contextlib.suppress(OSError):  # a file, or something is in it
        path.rmdir()
