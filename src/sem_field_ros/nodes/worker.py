"""The thread that owns networks and what they make: runs steps, and jobs from other threads between them. No rclpy."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

from sem_field_ros.errors import SemFieldError

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "Future[Any]"]
_RETRY_S = 0.05  # after a failed step, so that a step that always fails does not spin


class WorkerError(SemFieldError):
    """The thread did not take or finish a job in time, or is not running."""


class Worker:
    """Calls `step()` whenever it is woken; between two steps it runs the jobs that `call` handed over.

    `step` returns how many seconds it can wait until it is called again if nothing wakes it (0: at once, None: for
    ever). An exception of `step` goes to `on_error` and the thread goes on: a bad frame must not end the work.
    """

    def __init__(
        self, step: Callable[[], float | None], on_error: Callable[[Exception], None], name: str = "mapping"
    ) -> None:
        self._name = name
        self._step = step
        self._on_error = on_error
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._woken = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Wake the thread: there is something for `step` to do."""
        with self._wake:
            self._woken = True
            self._wake.notify()

    def call(self, job: Callable[[], T], timeout_s: float, what: str = "job") -> T:
        """Run `job` on the thread between two steps and return its result (or raise what it raises).

        Raises WorkerError where it was not finished after `timeout_s`: a job that has not begun is taken back, one that
        has begun goes on and its result is lost.
        """
        if threading.current_thread() is self._thread:
            return job()
        future: Future[T] = Future()
        with self._wake:
            if self._stopping:
                raise WorkerError(f"{what}: the {self._name} thread is stopping; try again when the node is active")
            self._jobs.append((job, future))
            self._wake.notify()
        try:
            return future.result(timeout_s)
        except FutureTimeoutError:
            if future.done() and not future.cancelled():
                return future.result()
            state = "not begun, taken back" if future.cancel() else "still running"
            raise WorkerError(
                f"{what}: {self._name} was busy for {timeout_s:g} s ({state}); try again or raise service_timeout_s"
            ) from None

    def stop(self, timeout_s: float) -> bool:
        """End the thread after its present step; waiting jobs fail. Return whether it ended in time."""
        with self._wake:
            self._stopping = True
            waiting, self._jobs = list(self._jobs), deque()
            self._wake.notify()
        for _, future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(
                    WorkerError(f"the {self._name} thread was stopped; try again when the node is active")
                )
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        delay: float | None = None
        while True:
            with self._wake:
                if not (self._jobs or self._woken or self._stopping):
                    self._wake.wait(delay)
                if self._stopping:
                    return
                self._woken = False
                job = self._jobs.popleft() if self._jobs else None
            if job is not None:
                _run_job(*job)
                job = None  # a job may hold a whole map: let go of it before waiting
            delay = self._guarded_step()

    def _guarded_step(self) -> float | None:
        try:
            return self._step()
        except Exception as error:  # noqa: BLE001 (the thread must outlive anything one frame can do)
            self._on_error(error)
            return _RETRY_S


def _run_job(job: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # its caller gave up
    try:
        future.set_result(job())
    except Exception as error:  # noqa: BLE001 (handed to the caller, who waits for it)
        future.set_exception(error)
