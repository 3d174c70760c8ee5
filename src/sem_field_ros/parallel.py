"""One thread of torch for many small tensor operations, and work in parts over threads that have one each.

torch hands every single operation to its threads and waits for all of them. For a map's tensors that costs more than it
brings (on two idle cores meshes, labels and messages took twice the time), and far more where other programs want the
processor. A whole part a thread waits for nobody, and torch lets go of Python's lock inside its operations.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch

Part = TypeVar("Part")
_lock = threading.Lock()
_allowed = threading.local()  # .threads that the parts may have where operations have one
_pools: dict[int, ThreadPoolExecutor] = {}  # by their number of threads


def _forked() -> None:
    """Threads do not outlive a fork, nor does who held the lock."""
    global _lock
    _lock = threading.Lock()
    _pools.clear()


os.register_at_fork(after_in_child=_forked)


@contextmanager
def one_thread() -> Iterator[None]:
    """torch's operations of this thread run on it alone, here (or `@one_thread()`); parts may still use the others."""
    if getattr(_allowed, "threads", 0):
        yield
        return
    _allowed.threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(_allowed.threads)
        _allowed.threads = 0


def threads() -> int:
    """How many threads parts of work may have here."""
    return getattr(_allowed, "threads", 0) or torch.get_num_threads()


def part_size(count: int, most: int, least: int) -> int:
    """How many of `count` rows a part has, so that all threads have as many parts of at most `most` rows.

    least  rows that are worth a thread
    """
    rounds = max(1, -(-count // (most * threads())))
    return max(least, -(-count // (rounds * threads())))


def for_each(parts: Sequence[Part], work: Callable[[Part], object]) -> None:
    """Call `work` on every part, on as many threads as torch may use here, under the caller's inference mode.

    Raises what the first part raises that fails, when none is under way any more; parts not begun are left out.
    """
    allowed = threads()
    if min(allowed, len(parts)) < 2:
        for part in parts:
            work(part)
        return
    inference = torch.is_inference_mode_enabled()  # of this thread: others do not have it

    def as_here(part: Part) -> None:
        with torch.inference_mode(inference):
            work(part)

    pool = _pool(allowed)
    futures = [pool.submit(as_here, part) for part in parts]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


def _pool(threads: int) -> ThreadPoolExecutor:
    with _lock:
        if threads not in _pools:
            _pools[threads] = _made(threads)
        return _pools[threads]


def _made(threads: int) -> ThreadPoolExecutor:
    here = torch.get_num_threads()
    started = threading.Barrier(threads + 1)

    def one_thread_each() -> None:
        torch.get_num_threads()  # a thread asks once how many the others have; what is set before that is lost
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="part", initializer=one_thread_each)
    for _ in range(threads):
        pool.submit(lambda: None)
    started.wait()
    torch.set_num_threads(here)  # what the last of them set holds for threads to come, not for these
    return pool
