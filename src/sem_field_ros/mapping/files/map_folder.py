"""The folder of map files: safe names, the lock for saving, cleaning up, and errors in one line."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sem_field_ros.atomic import TEMPORARY_SUFFIX
from sem_field_ros.errors import MapFileError

MANIFEST_SUFFIX = ".semmap.json"
LOCK_NAME = ".semmap.lock"
LOCK_TIMEOUT_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_log = logging.getLogger(__name__)


class MapFolder:
    """Paths of map files in one folder. Nothing outside it is read or written; links are never followed."""

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory).expanduser().absolute()

    def check_name(self, name: str) -> None:
        """Refuse names that are paths or hard to type. Raises MapFileError."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise MapFileError(
                f"map name {str(name)[:80]!r} is not allowed: use up to 64 letters, digits, '_', '-' or '.', starting "
                f"with a letter or digit; maps are saved in {self.path}"
            )

    def manifest(self, name: str) -> Path:
        """Path of a map's manifest."""
        return self.path / f"{name}{MANIFEST_SUFFIX}"

    def payload(self, name: str, sha256: str) -> Path:
        """Path of a map's payload with this digest."""
        return self.path / f"{name}.{sha256[:16]}.safetensors"

    def names(self) -> list[str]:
        """Names of the maps here, sorted."""
        found = [p.name[: -len(MANIFEST_SUFFIX)] for p in self.path.glob(f"*{MANIFEST_SUFFIX}")]
        return sorted(name for name in found if _NAME.fullmatch(name) and not self.manifest(name).is_symlink())

    def open_for_reading(self, path: Path) -> BinaryIO:
        """Open a regular file of this folder. Raises FileNotFoundError, OSError (ELOOP) for a link, MapFileError."""
        # O_NONBLOCK: opening a pipe must not hang
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise MapFileError(f"{path} is not a plain file; remove it")
        return os.fdopen(descriptor, "rb")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Create the folder and hold its lock for saving, which ends with the process. Raises MapFileError."""
        self.path.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path / LOCK_NAME, flags, 0o666)
        try:
            deadline = time.monotonic() + LOCK_TIMEOUT_S
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise MapFileError(f"another save into {self.path} is still running; try again when it is done")
                time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)

    def sweep(self, name: str, keep: str) -> None:
        """Remove a map's older payloads and leftovers of killed saves. Call with the lock held, after the commit.

        A file that cannot be removed is logged; the save is complete.
        """
        own = re.escape(name)
        stale = re.compile(
            rf"{own}\.[0-9a-f]{{16}}\.safetensors|\.{own}\.(payload|semmap\.json)\.[0-9a-f]{{12}}\{TEMPORARY_SUFFIX}"
        )
        for entry in os.scandir(self.path):
            if stale.fullmatch(entry.name) and entry.name != keep:
                try:
                    os.unlink(entry.path)
                except OSError as error:
                    _log.warning("cannot remove the old map file %s: %s", entry.path, error.strerror)

    @contextlib.contextmanager
    def failures_as_errors(self, verb: str, name: str) -> Iterator[None]:
        """Turn OSError (disk full, read-only, no rights, links) into MapFileError with one line."""
        try:
            yield
        except OSError as error:
            advice = "free space there or choose another folder; the previous map is untouched"
            if verb == "load":
                advice = "check the folder's rights and that the map is a plain file"
            raise MapFileError(
                f"cannot {verb} map '{name}' in {self.path}: {error.strerror or error}; {advice}"
            ) from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
