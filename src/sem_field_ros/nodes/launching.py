"""The table of graph.py as a launch description, for the files in launch/. Imported only where launch exists."""

from __future__ import annotations

from typing import Any

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from sem_field_ros.nodes.graph import NodeSpec, arguments_of, dds_environment, nodes_of


def launch_description(graph: str) -> LaunchDescription:
    """Describe `bringup`, `rgb` or `replay`: every argument declared and described, the nodes made when known."""
    arguments = arguments_of(graph)

    def start(context: Any) -> list[Any]:
        given = {a.name: LaunchConfiguration(a.name).perform(context) for a in arguments}
        former = (
            name for a in arguments for name in a.formerly
        )  # not declared, so that --show-args does not list them
        texts = {name: LaunchConfiguration(name, default="").perform(context) for name in former}
        given |= {name: text for name, text in texts.items() if text}
        return [_action(spec) for spec in nodes_of(graph, given)]

    declared = [DeclareLaunchArgument(a.name, default_value=a.default, description=a.description) for a in arguments]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def _action(spec: NodeSpec) -> Node:
    parameters: list[Any] = [spec.params_file] if spec.params_file else []
    return Node(
        package=spec.package,
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        parameters=[*parameters, dict(spec.parameters)],
        remappings=list(spec.remappings.items()),
        arguments=list(spec.arguments),
        ros_arguments=["--log-level", spec.log_level],
        output="screen",
        emulate_tty=True,
        additional_env=dds_environment(),
        on_exit=Shutdown(reason=f"{spec.name} ended") if spec.ends_graph else None,
    )
