"""ROS domain ids that no other test of this machine is using."""

from __future__ import annotations

import fcntl
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def claimed_domain() -> Iterator[int]:
    """Claim a domain id; a lock file that the system frees with the process keeps others away."""
    for number in random.sample(range(1, 101), 100):  # any order: containers that share a network share no lock files
        with (Path(tempfile.gettempdir()) / f"sem_field_test_domain_{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield number
            return
    pytest.fail("all 100 test domains are in use on this machine")
