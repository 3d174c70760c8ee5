"""A process that saves maps until it is killed: started by map_files.py, told what to do line by line on stdin.

Each command forks a child whose pid is printed, so that a kill costs no new interpreter:
    loop DIR START        save START, START+1, ... for ever; each number goes to DIR/../saved once save_map returned
    die DIR NUMBER STEP   save once, killing itself with SIGKILL just before the STEP-th call that touches a file
    limit DIR NUMBER SIZE save once with files limited to SIZE bytes
When the child is gone its exit status is printed: `exit CODE`, `signal NUMBER`.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.files.map_file import MapState, save_map

NAME = "kitchen"
FILE_CALLS = ("open", "write", "fsync", "replace", "unlink", "scandir", "close")


def numbered_state(number: int) -> MapState:
    """A map that shows which save it is from in its header and in every element."""
    arrays = {
        "votes": np.full((400, 1000 + number % 7), number, np.float32),  # sizes differ, so payloads do
        "blocks": np.full((1000, 3), number, np.int32),
    }
    return MapState(arrays, {"number": number})


def save_for_ever(directory: Path, start: int) -> None:
    log = os.open(directory.parent / "saved", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(start, start + 1_000_000):
        save_map(directory, NAME, numbered_state(number))
        os.write(log, f"{number}\n".encode())


def die_at_step(directory: Path, number: int, step: int) -> None:
    count = 0

    def counted(call: Callable) -> Callable:
        def wrapper(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return wrapper

    for name in FILE_CALLS:
        setattr(os, name, counted(getattr(os, name)))
    save_map(directory, NAME, numbered_state(number))


def save_limited(directory: Path, number: int, size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        save_map(directory, NAME, numbered_state(number))
    except MapFileError as error:
        say(f"MapFileError {error}")


COMMANDS: dict[str, Callable[..., None]] = {"loop": save_for_ever, "die": die_at_step, "limit": save_limited}


def say(line: str) -> None:
    """One write, so that lines of parent and child do not mix."""
    os.write(1, f"{line}\n".encode())


def main() -> None:
    for line in sys.stdin:
        name, directory, *numbers = line.split()
        wait, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(wait, 1)  # until the pid is told
            COMMANDS[name](Path(directory), *map(int, numbers))
            os._exit(0)
        say(str(pid))
        os.close(go)
        os.close(wait)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        say(f"signal {-status}" if status < 0 else f"exit {status}")


if __name__ == "__main__":
    main()
