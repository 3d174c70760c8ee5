"""Node `semantic_mapper`: colour, depth and TF in, a live semantic map out. Lifecycle and diagnostics.

unconfigured --configure: model, map, thread, services--> inactive --activate: input, publishing--> active
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import rclpy
import torch
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.camera_stream.topics import DIAGNOSTICS_TOPIC, MAPPER
from sem_field_ros.errors import SemFieldError
from sem_field_ros.exit_codes import DONE, REFUSED
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.measurements import give_back_memory, resident_mb
from sem_field_ros.nodes.mapper.diagnostics import MapperState, mapper_diagnostics
from sem_field_ros.nodes.mapper.options import DYNAMIC, MapperOptions
from sem_field_ros.nodes.mapper.services import MapperServices
from sem_field_ros.nodes.mapper.session import MappingSession, make_node_segmenter
from sem_field_ros.nodes.mapper.statistics import MappingStatistics
from sem_field_ros.ros.executor import ServiceThreadsExecutor
from sem_field_ros.ros.mapper_status import ACTIVE
from sem_field_ros.ros.parameters import declare_settings, guard_changes, settings_from_node
from sem_field_ros.ros.spinning import spin_to_end, start_node

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
_STOP_TIMEOUT_S = 3.0


class SemanticMapper(LifecycleNode):
    """See the module. Raises SettingError where a parameter given at start does not fit."""

    def __init__(self, name: str = MAPPER, **node_arguments: Any) -> None:
        super().__init__(name, **node_arguments)
        for cls in (MapperOptions, MapConfig):
            declare_settings(self, cls, DYNAMIC)
        guard_changes(self, (MapperOptions, MapConfig), DYNAMIC, lambda: self._session is not None)
        self._session: MappingSession | None = None
        self._mapper_services: MapperServices | None = None
        self._active = False
        self._statistics, self._input_statistics = MappingStatistics(), InputStatistics()
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
        # two groups have services: the map's, and the default one with life cycle and parameters
        executor = ServiceThreadsExecutor(2, (self._service_group,), context=self.context)
        executor.add_node(self)
        return executor

    # -- lifecycle --------------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and start the mapping thread. Fails with one line; the node stays and can try again."""
        try:
            options, config = settings_from_node(self, MapperOptions), settings_from_node(self, MapConfig)
            if options.torch_threads:
                torch.set_num_threads(options.torch_threads)
            segmenter, labels = make_node_segmenter(options, config)
            self._session = MappingSession(
                self,
                options,
                config,
                segmenter,
                labels,
                self._statistics,
                self._input_statistics,
                self._input_group,
            )
            self._mapper_services = MapperServices(self, self._session, self._service_group)
        except SemFieldError as error:
            self.get_logger().error(f"cannot configure: {error}")
            return self._unconfigured(FAILURE)
        except Exception as error:  # noqa: BLE001 (model libraries raise anything: the node must live)
            self.get_logger().error(f"cannot configure: {type(error).__name__}: {error}")
            self.get_logger().debug(traceback.format_exc())
            return self._unconfigured(FAILURE)
        self.get_logger().info(
            f"mapping in frame '{options.global_frame}' with {100 * config.voxel_size_m:g} cm voxels; "
            f"segmenter '{options.segmenter}', {len(labels)} classes of label set '{labels.name}'"
        )
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the input."""
        if super().on_activate(state) != SUCCESS or self._session is None:
            return FAILURE
        self._session.activate()
        self._active = True
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the input; the map stays, and so do the services."""
        self._active = False
        if self._session is not None:
            self._session.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free model and map."""
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
        services, self._mapper_services = self._mapper_services, None
        session, self._session = self._session, None
        if services is not None:
            services.close()
        if session is not None and not session.close(session.options.service_timeout_s):
            self.get_logger().error("the mapping thread does not end its frame; it is left running")
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
        options = settings_from_node(self, MapperOptions) if session is None else session.options
        received, mapped = self._input_statistics.snapshot(), self._statistics.snapshot()
        message = mapper_diagnostics(self.get_name(), received, mapped, self._state(session), options)
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        if session is not None:
            session.worker.notify()

    def _state(self, session: MappingSession | None) -> MapperState:
        notes = []
        if self.get_parameter("use_sim_time").value and self.get_clock().now().nanoseconds == 0:
            notes.append("use_sim_time is on but nothing came on /clock")
        if session is None:
            return MapperState("unconfigured", False, 0, {}, resident_mb(), notes=tuple(notes))
        source = session.input
        return MapperState(
            lifecycle=ACTIVE if self._active else "inactive",
            paused=session.paused,
            waiting_frames=source.waiting_frames if source is not None else 0,
            map_stats=session.map_stats,
            resident_mb=resident_mb(),
            refused_transforms=dict(session.transforms.refused),
            notes=tuple(notes),
        )

    def close(self) -> bool:
        """End the mapping thread; False where it is stuck (in a network, for instance)."""
        session, self._session = self._session, None
        return session is None or session.worker.stop(_STOP_TIMEOUT_S)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted."""
    node = start_node(MAPPER, SemanticMapper, args)
    if node is None:
        return REFUSED
    executor = node.make_executor()
    spin_to_end(executor)
    if not node.close():
        print(f"{MAPPER}: inference did not end in time; the process ends now", file=sys.stderr, flush=True)
        os._exit(0)  # a thread inside a network cannot be ended, and tearing down around it would crash
    node.destroy_node()
    rclpy.try_shutdown()
    return DONE


if __name__ == "__main__":
    sys.exit(main())
