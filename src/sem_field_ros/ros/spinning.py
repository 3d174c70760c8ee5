"""Spinning to the end: what a signal that takes ROS away in the middle of something makes rclpy raise is no fault."""

from __future__ import annotations

from rclpy.executors import Executor, ExternalShutdownException


def spin_to_end(executor: Executor) -> None:
    """Spin until ROS is shut down or the process interrupted. Raises what a callback raised while ROS was there."""
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        return
    except Exception:  # e.g. RCLError: a wait set was being made, or something published
        if executor.context.ok():
            raise
