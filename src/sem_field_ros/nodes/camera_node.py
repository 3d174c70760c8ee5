"""CameraNode: life cycle and diagnostics timer of a node that feeds camera frames to a network.

unconfigured --configure: networks, thread, services--> inactive --activate: input, publishing--> active
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

import rclpy
import torch
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.camera_stream.topics import DIAGNOSTICS_TOPIC
from sem_field_ros.errors import SemFieldError
from sem_field_ros.exit_codes import DONE, REFUSED
from sem_field_ros.measurements import give_back_memory
from sem_field_ros.nodes.camera_session import CameraSession
from sem_field_ros.nodes.health import LossWatch
from sem_field_ros.ros.executor import ServiceThreadsExecutor
from sem_field_ros.ros.mapper_status import ACTIVE
from sem_field_ros.ros.parameters import declare_settings, guard_changes, warn_of_unknown_parameters
from sem_field_ros.ros.spinning import spin_to_end, start_node

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
_STOP_TIMEOUT_S = 3.0

Session = TypeVar("Session", bound=CameraSession[Any])


class Services(Protocol):
    """The services of a configured node."""

    def close(self) -> None:
        """Withdraw them."""
        ...


class CameraNode(LifecycleNode, Generic[Session]):
    """See the module. Raises SettingError where a parameter given at start does not fit."""

    def __init__(self, name: str, settings: tuple[type, ...], dynamic: Iterable[str], **node_arguments: Any) -> None:
        """`settings`: the dataclasses that become parameters; those in `dynamic` may change while configured."""
        super().__init__(name, **node_arguments)
        for cls in settings:
            declare_settings(self, cls, dynamic)
        guard_changes(self, settings, dynamic, lambda: self._session is not None)
        warn_of_unknown_parameters(self, settings, sys.argv)
        self._session: Session | None = None
        self._node_services: Services | None = None
        self._active = False
        self._input_statistics, self._losses = InputStatistics(), LossWatch()
        self._input_group = MutuallyExclusiveCallbackGroup()
        self._service_group = MutuallyExclusiveCallbackGroup()
        self._timer_group = MutuallyExclusiveCallbackGroup()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)  # timers must go on where /clock stands still
        self._diagnostics = self.create_publisher(DiagnosticArray, DIAGNOSTICS_TOPIC, 10)
        rate_hz = self.get_parameter("diagnostics_rate_hz").value
        self.create_timer(1.0 / rate_hz, self._publish_diagnostics, self._timer_group, clock=self._steady)
        self._start_timer: Timer | None = None
        if self.get_parameter("autostart").value:
            self._start_timer = self.create_timer(0.0, self._autostart, self._service_group, clock=self._steady)

    def make_executor(self) -> ServiceThreadsExecutor:
        """Return the executor that this node needs, with the node added."""
        # two groups have services: the session's, and the default one with life cycle and parameters
        executor = ServiceThreadsExecutor(2, (self._service_group,), context=self.context)
        executor.add_node(self)
        return executor

    # -- for subclasses -----------------------------------------------------------------------------------------------

    def _configure(self) -> tuple[Session, Services, str]:
        """Make session and services, and a line for the log. Raises SemFieldError."""
        raise NotImplementedError

    def _diagnostics_message(self, session: Session | None, notes: tuple[str, ...]) -> DiagnosticArray:
        """The diagnostics, not stamped. `notes`: conditions worth a WARN."""
        raise NotImplementedError

    # -- lifecycle --------------------------------------------------------------------------------------------------

    @property
    def lifecycle(self) -> str:
        """unconfigured | inactive | active, for diagnostics."""
        return "unconfigured" if self._session is None else ACTIVE if self._active else "inactive"

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the networks and start the thread. Fails with one line; the node stays and can try again."""
        try:
            threads = self.get_parameter("torch_threads").value
            if threads:
                torch.set_num_threads(threads)
            self._session, self._node_services, line = self._configure()
        except SemFieldError as error:
            self.get_logger().error(f"cannot configure: {error}")
            return self._unconfigured(FAILURE)
        except Exception as error:  # noqa: BLE001 (model libraries raise anything: the node must live)
            self.get_logger().error(f"cannot configure: {type(error).__name__}: {error}")
            self.get_logger().debug(traceback.format_exc())
            return self._unconfigured(FAILURE)
        self.get_logger().info(line)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the input."""
        if super().on_activate(state) != SUCCESS or self._session is None:
            return FAILURE
        self._session.activate()
        self._active = True
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the input; what was seen stays, and so do the services."""
        self._active = False
        if self._session is not None:
            self._session.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything that configure made."""
        return self._unconfigured(SUCCESS)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        return self._unconfigured(SUCCESS)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition raised: go back to unconfigured."""
        self.get_logger().error("a transition failed: back to unconfigured, configure again")
        return self._unconfigured(SUCCESS)

    def _unconfigured(self, result: TransitionCallbackReturn) -> TransitionCallbackReturn:
        """Close what there is and return `result`."""
        self._active = False
        services, self._node_services = self._node_services, None
        session, self._session = self._session, None
        if services is not None:
            services.close()
        if session is not None and not session.close(session.options.service_timeout_s):
            self.get_logger().error("the node's thread does not end its frame; it is left running")
        del session
        give_back_memory()
        return result

    def _autostart(self) -> None:
        if self._start_timer is not None:
            self.destroy_timer(self._start_timer)
            self._start_timer = None
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    # -- diagnostics ------------------------------------------------------------------------------------------------

    def _publish_diagnostics(self) -> None:
        session = self._session
        notes = []
        if self.get_parameter("use_sim_time").value and self.get_clock().now().nanoseconds == 0:
            notes.append("use_sim_time is on but nothing came on /clock")
        if session is not None:
            notes += session.notes()
        message = self._diagnostics_message(session, tuple(notes))
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        if session is not None:
            session.worker.notify()

    def close(self) -> bool:
        """End the thread; False where it is stuck (in a network, for instance)."""
        session, self._session = self._session, None
        return session is None or session.worker.stop(_STOP_TIMEOUT_S)


def run_node(name: str, make: Callable[[], CameraNode[Any]], args: list[str] | None) -> int:
    """Run a node until it is interrupted; an exit code."""
    node = start_node(name, make, args)
    if node is None:
        return REFUSED
    executor = node.make_executor()
    spin_to_end(executor)
    if not node.close():
        print(f"{name}: inference did not end in time; the process ends now", file=sys.stderr, flush=True)
        os._exit(0)  # a thread inside a network cannot be ended, and tearing down around it would crash
    node.destroy_node()
    rclpy.try_shutdown()
    return DONE
