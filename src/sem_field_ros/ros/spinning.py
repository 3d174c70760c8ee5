"""Start, spin and end the process of a node; what rclpy raises after a signal is not an error."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from sem_field_ros.errors import SemFieldError

AnyNode = TypeVar("AnyNode", bound=Node)
_JOIN_S = 2.0


def start_node(name: str, make: Callable[[], AnyNode], args: list[str] | None) -> AnyNode | None:
    """Initialise ROS and make a node; None, with ROS shut down and one line on stderr, where `make` refuses."""
    rclpy.init(args=args)
    try:
        return make()
    except SemFieldError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        rclpy.try_shutdown()
        return None


@contextlib.contextmanager
def spinning_beside(node: Node, stopping: threading.Event) -> Iterator[None]:
    """Spin a node on a thread of its own during the `with`; afterwards ROS is shut down.

    `stopping` is set as soon as spinning or the `with` ends.
    """

    def spin() -> None:
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spin_to_end(executor)
        stopping.set()

    spinner = threading.Thread(target=spin, daemon=True)
    spinner.start()
    try:
        yield
    finally:
        stopping.set()
        rclpy.try_shutdown()
        spinner.join(_JOIN_S)


def spin_to_end(executor: Executor) -> None:
    """Spin until ROS is shut down or the process interrupted. Raises what a callback raised while ROS was there."""
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        return
    except Exception:  # e.g. RCLError: a wait set was being made, or something published
        if executor.context.ok():
            raise
