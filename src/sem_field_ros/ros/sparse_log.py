"""Warnings that repeat themselves at camera rate, logged sparsely."""

from __future__ import annotations

import math
import threading
import time

from rclpy.node import Node

_EVERY_S = 10.0


class SparseLog:
    """Logs warnings of a node, each kind at most every ten seconds. Thread-safe."""

    def __init__(self, node: Node) -> None:
        self._logger = node.get_logger()
        self._lock = threading.Lock()
        self._next_s: dict[str, float] = {}

    def warn(self, kind: str, message: str, once: bool = False) -> None:
        """Log `message` unless one of this kind was logged a moment ago; with `once`, unless one ever was."""
        now = time.monotonic()
        with self._lock:
            if now < self._next_s.get(kind, -math.inf):
                return
            self._next_s[kind] = math.inf if once else now + _EVERY_S
        self._logger.warning(message)
