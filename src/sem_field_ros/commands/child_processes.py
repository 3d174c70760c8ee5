"""Child processes that end with us; their output goes to files, problems are shown."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sem_field_ros.commands.up import start_node
from sem_field_ros.errors import OutputError, SettingError
from sem_field_ros.nodes.graph import NodeSpec

_PRIVATE_DOMAINS = range(215, 232)  # ROS 2 domain ids beyond the usual ones whose ports no other program is given
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec nothing may take a lock
_LOG_LINE = re.compile(r"^\[(WARN|ERROR|FATAL)\] \[[\d.]+\] \[([^\]]+)\]: (.*)")


class Child:
    """One running node. Its output goes to `log`; every line also to `on_line(name, line)`, on a thread."""

    def __init__(self, spec: NodeSpec, log: Path, environment: dict[str, str], on_line: Callable[[str, str], None]):
        self.name = spec.name
        self.log = log
        self.last_lines: deque[str] = deque(maxlen=5)
        self._on_line = on_line
        self.process: subprocess.Popen[bytes] = start_node(
            spec,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {self.name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self.log.open("wb") as log, contextlib.suppress(OSError):  # a full disk must not end the demo
            for data in self.process.stdout or ():
                log.write(data)
                log.flush()
                line = data.decode("utf-8", "replace").rstrip()
                if line:
                    self.last_lines.append(line)
                    self._on_line(self.name, line)
        for _ in self.process.stdout or ():  # keep reading, or the node would block
            pass

    @property
    def returncode(self) -> int | None:
        """Exit code; negative for a signal; None while it runs."""
        return self.process.poll()

    def end_line(self) -> str:
        """One line on how it ended, with its last output."""
        self._reader.join(2.0)
        code = self.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"code {code}"
        last = f": {self.last_lines[-1]}" if self.last_lines else ""
        return f"{self.name} ended with {how}{last} (its whole output: {self.log})"


def _end_with_parent() -> None:
    """In the child: be killed when the parent ends, for any reason."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def problem_of(line: str) -> str | None:
    """`NODE: text` of a ROS log line that is a warning or worse, else None."""
    match = _LOG_LINE.match(line)
    return f"{match[2]}: {match[3]}" if match else None


@contextlib.contextmanager
def private_domain() -> Iterator[int]:
    """Yield a ROS 2 domain id that no other demo on this machine uses."""
    for number in _PRIVATE_DOMAINS:
        path = Path(tempfile.gettempdir()) / f"sem_field_domain_{number}_{os.getuid()}.lock"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield number
            return
    raise SettingError("all private ROS domains are in use by other demos: give one with --domain-id")


def node_environment(domain_id: int) -> dict[str, str]:
    """Environment of nodes that talk among themselves on this machine only."""
    environment = dict(os.environ)
    environment.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)  # the children set up their own library path
    environment |= {"ROS_DOMAIN_ID": str(domain_id), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def fresh_folder(directory: Path, old_files: tuple[str, ...]) -> None:
    """Make a folder and remove what an earlier run left there. Raises OutputError with one line."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in old_files:
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {directory}: {error.strerror}; choose another folder") from error


class Interruption:
    """Turns the first signal into a KeyboardInterrupt, at once or where a held section ends; ignores all further."""

    def __init__(self) -> None:
        self._held = self._pending = self._raised = False

    def signalled(self, *_: object) -> None:
        if self._held:
            self._pending = True
        elif not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing inside is interrupted."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._pending:
            self.signalled()


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does; further signals do not keep it from cleaning up."""
    interruption = Interruption()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, interruption.signalled) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class StatusLine:
    """Lines on a terminal, of which the last may be overwritten; elsewhere every fifth update is written."""

    def __init__(self, stream: Any = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._tty = bool(self._stream.isatty())
        self._open = False
        self._lock = threading.Lock()
        self._updates = 0

    def say(self, line: str) -> None:
        """Write a line that stays."""
        with self._lock:
            self._write(("\r\x1b[K" if self._open else "") + line + "\n")
            self._open = False

    def update(self, line: str) -> None:
        """Write a line that the next one replaces."""
        with self._lock:
            self._updates += 1
            if self._tty:
                self._write("\r\x1b[K" + line)
                self._open = True
            elif self._updates % 5 == 1:
                self._write(line + "\n")

    def close(self) -> None:
        """Leave the last line on the terminal and go to the next."""
        with self._lock:
            if self._open:
                self._write("\n")
                self._open = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
