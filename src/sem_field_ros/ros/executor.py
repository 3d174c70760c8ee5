"""An executor for nodes with busy topics and few service calls: topics on the spinning thread, services on others.

rclpy's MultiThreadedExecutor hands a callback to its pool over and over until the pool has begun it. Where another
thread keeps the interpreter busy (a network, a map) that took, as measured, a whole core and stalls of seconds.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.context import Context
from rclpy.executors import Executor, ExternalShutdownException, ShutdownException, TimeoutException
from rclpy.service import Service

_POLL_S = 0.0005


class ServiceThreadsExecutor(Executor):
    """Runs services, and everything in `threaded_groups`, on `threads` threads; all else on the thread that spins.

    `threads` must be at least the number of callback groups that hold such entities, so that each begins at once.
    """

    def __init__(
        self, threads: int, threaded_groups: tuple[CallbackGroup, ...] = (), *, context: Context | None = None
    ) -> None:
        super().__init__(context=context)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="service")
        self._threaded_groups = threaded_groups
        self._failure: BaseException | None = None

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Run one callback, or begin one that has a thread. Raises what a callback raised."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        try:
            handler, entity, _ = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ShutdownException, TimeoutException):
            return
        except ExternalShutdownException:
            if self.context.ok():
                raise
            return  # spin() ends by itself
        if isinstance(entity, Service) or getattr(entity, "callback_group", None) in self._threaded_groups:
            self._begin(handler)
        else:
            handler()
            handler.result()

    def _begin(self, handler: Any) -> None:
        self._pool.submit(self._run, handler)
        while not (handler.executing() or handler.done()):  # until then it would be offered again and again
            time.sleep(_POLL_S)

    def _run(self, handler: Any) -> None:
        handler()
        if handler.done() and handler.exception() is not None:
            self._failure = handler.exception()
            self.wake()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop spinning; callbacks that run go on."""
        ended = bool(super().shutdown(timeout_sec))
        self._pool.shutdown(wait=False)
        return ended
