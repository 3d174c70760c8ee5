"""Files that appear whole or not at all: written beside their place, flushed to the disk, then renamed into it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sem_field_ros.errors import OutputError

TEMPORARY_SUFFIX = ".tmp"  # `.NAME.<12 hex digits>.tmp`


class PendingFile:
    """A temporary file in `directory`, to be committed under its final name (which may be known only when written)."""

    def __init__(self, directory: Path, stem: str) -> None:
        self.path = directory / f".{stem}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"
        # O_EXCL: never write through a link or into a file that somebody else holds; the umask sets the rights
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        self.file: BinaryIO = os.fdopen(descriptor, "w+b")

    def commit(self, path: Path) -> None:
        """Flush to the disk and rename to `path` (in the same folder); both survive a power cut afterwards."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.path, path)
        sync_directory(path.parent)

    def discard(self) -> None:
        """Close and remove the temporary file; harmless after commit."""
        with contextlib.suppress(OSError):  # closing flushes, which fails again on a full disk
            self.file.close()
        with contextlib.suppress(OSError):  # gone after a commit; anything else must not hide what went wrong before
            self.path.unlink()


@contextlib.contextmanager
def pending_file(directory: Path, stem: str) -> Iterator[PendingFile]:
    """Yield a PendingFile; removed on leaving unless committed. Raises OSError as it comes."""
    pending = PendingFile(directory, stem)
    try:
        yield pending
    finally:
        pending.discard()


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends without an exception; else `path` stays as it was.

    Makes the folder where it is missing. Raises OutputError with one line where the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pending_file(path.parent, path.name) as pending:
            yield pending.file
            pending.commit(path)
    except OSError as error:
        raise OutputError(write_failure(path, error)) from error


def write_failure(path: Path, error: OSError) -> str:
    """One line for a failed write: what, why, and what to do."""
    return f"cannot write {path}: {error.strerror or error}; free space there or choose another folder"


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as indented UTF-8 JSON, atomically. Not-a-number becomes null, as JSON has no word for it."""
    text = json.dumps(_jsonable(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))


def _jsonable(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a numpy or torch scalar
        value = value.item()
    if isinstance(value, float) and value - value != 0:  # NaN or infinite
        return None
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value


def sync_directory(directory: Path) -> None:
    """Flush a folder's entries (new names, renames) to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
