"""The one table of what runs together: launch files and `sem-field up` start nodes from it. Imports neither."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sem_field_ros.camera_stream.topics import (
    CAMERA_INFO,
    CAMERA_TOPICS,
    COLOR,
    DEPTH,
    LABELS,
    MAPPER,
    PLAYER,
    RECORDER,
    RENDERER,
    TF_STATIC_TOPIC,
    TF_TOPIC,
    VIEWER,
)
from sem_field_ros.errors import SettingError, did_you_mean
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.resources import resource_path
from sem_field_ros.settings import Setting, current_names, settings_of

MODULES = {  # our executables, as setup.py installs them; `python -m MODULE` starts one without an installed script
    MAPPER: "sem_field_ros.nodes.mapper.node",
    PLAYER: "sem_field_ros.nodes.player.node",
    RENDERER: "sem_field_ros.nodes.view_renderer.node",
    "viewer": "sem_field_ros.nodes.viewer.node",
    RECORDER: "sem_field_ros.nodes.recorder.node",
}


@dataclass(frozen=True)
class Argument:
    """A launch argument. An empty default means "leave it to the parameter file"; `formerly`: names it had before."""

    name: str
    default: str
    description: str
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeSpec:
    """One node to start, all arguments filled in. `package` is ours but for RViz."""

    executable: str
    name: str
    namespace: str = ""
    params_file: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    remappings: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "info"
    package: str = "sem_field_ros"
    arguments: tuple[str, ...] = ()
    ends_graph: bool = False  # when this node ends well, everything ends (a replay that is over)

    def ros_arguments(self) -> list[str]:
        """Return the node's command-line arguments."""
        out = [*self.arguments, "--ros-args", "-r", f"__node:={self.name}", "--log-level", self.log_level]
        if self.namespace:
            out += ["-r", f"__ns:=/{self.namespace.strip('/')}"]
        if self.params_file:
            out += ["--params-file", self.params_file]
        for name, value in self.parameters.items():
            text = str(value).lower() if isinstance(value, bool) else f"'{value}'" if isinstance(value, str) else value
            out += ["-p", f"{name}:={text}"]
        for source, target in self.remappings.items():
            out += ["-r", f"{source}:={target}"]
        return out


def _described(item: Setting) -> str:
    told = all(choice in item.help for choice in item.choices)
    return item.help if told else f"{item.help}: {' | '.join(item.choices)}"


# parameters of the mapper that are launch arguments too
_MAPPER_SETTINGS = tuple(
    item
    for cls, names in (
        (MapperOptions, ("segmenter", "label_set")),
        (MapConfig, ("fusion", "depth_source", "voxel_size_m")),
        (MapperOptions, ("global_frame", "maps_directory")),
    )
    for item in settings_of(cls)
    if item.name in names
)
_TOPICS = {
    "color_topic": CAMERA_TOPICS[COLOR],
    "camera_info_topic": CAMERA_TOPICS[CAMERA_INFO],
    "depth_topic": CAMERA_TOPICS[DEPTH],
    "label_topic": CAMERA_TOPICS[LABELS],
}
_COMMON = (
    Argument("namespace", "", "namespace of all nodes"),
    Argument("remap_tf", "false", "take TF from tf and tf_static in the namespace instead of /tf and /tf_static"),
    Argument("use_sim_time", "false", "take the time from /clock (simulation, bags)"),
    Argument("params_file", "", "parameter file of the mapper; empty = config/semantic_mapper.yaml"),
    Argument("autostart", "true", "configure and activate the mapper at start; false leaves it to a lifecycle manager"),
    Argument("log_level", "info", "debug | info | warn | error"),
    *(Argument(item.name, "", _described(item), item.formerly) for item in _MAPPER_SETTINGS),
    Argument("color_topic", "", f"colour images, if not {_TOPICS['color_topic']}"),
    Argument("camera_info_topic", "", f"their CameraInfo, if not {_TOPICS['camera_info_topic']}"),
    Argument("depth_topic", "", f"depth images seen from the colour camera, if not {_TOPICS['depth_topic']}"),
    Argument("label_topic", "", f"label images for segmenter external, if not {_TOPICS['label_topic']}"),
    Argument("render_views", "false", "start the view renderer, which shows what a camera would see from anywhere"),
    Argument("field", "", "what renders; empty = the parameter file's, without depth gsnerf"),
    Argument("view_params_file", "", "parameter file of the view renderer; empty = config/view_renderer.yaml"),
    Argument("view", "false", "start the web viewer"),
    Argument("port", "8080", "port of the web viewer"),
    Argument("rviz", "false", "start RViz (where it is installed)"),
    Argument("rviz_config", "", "its configuration; empty = config/rviz/sem_field.rviz"),
)
_REPLAY = (
    Argument("path", "", "the sequence: a folder or an MCAP or sqlite3 bag (required)"),
    Argument(
        "pace",
        "auto",
        "when the next frame goes out: stamps | feedback (of the mapper) | auto",
    ),
    Argument("rate", "1.0", "speed of the replay by its time stamps"),
    Argument("loops", "1", "times it is played; 0 = until stopped"),
    Argument("start_s", "0.0", "skip this much of the beginning"),
    Argument("duration_s", "0.0", "play only this long; 0 = to the end"),
    Argument("exit_at_end", "true", "end everything when the replay is over"),
)
RGB_FIELD = "gsnerf"  # renders without depth images
_SHM_FOR_LARGE_SEGMENTS = 400_000 * 1024  # bytes: five participants with the 64 MB segments of fastdds.xml


def arguments_of(graph: str) -> tuple[Argument, ...]:
    """The arguments of `bringup` (the robot publishes the camera), `rgb` (a camera without depth) or `replay`."""
    if graph == "bringup":
        return _COMMON
    if graph == "rgb":
        return _with_default("depth_source", "predicted")
    if graph == "replay":
        return _with_default("use_sim_time", "true") + _REPLAY
    raise SettingError(f"graph '{graph}' is unknown: choose bringup, rgb or replay")


def _with_default(name: str, default: str) -> tuple[Argument, ...]:
    return tuple(replace(a, default=default) if a.name == name else a for a in _COMMON)


def nodes_of(graph: str, given: Mapping[str, str]) -> list[NodeSpec]:
    """Fill the table: argument texts -> the nodes to start. Raises SettingError for what does not fit.

    An argument under its former name is taken with one line of warning on stderr.
    """
    arguments = arguments_of(graph)
    known = {a.name: a.default for a in arguments}
    given = current_names(arguments, given, lambda line: print(f"{graph}: {line}", file=sys.stderr))
    unknown = sorted(set(given) - set(known))
    if unknown:
        hint = did_you_mean(unknown[0], known)
        raise SettingError(f"unknown argument {', '.join(unknown)}: {graph} knows {', '.join(known)}{hint}")
    value = {**known, **given}
    common: dict[str, Any] = {"namespace": value["namespace"], "log_level": value["log_level"]}
    sim = {"use_sim_time": _boolean("use_sim_time", value["use_sim_time"])}
    nodes = [_mapper(value, common, sim)]
    if _boolean("render_views", value["render_views"]):
        nodes.append(_renderer(value, common, nodes[0]))
    if _boolean("view", value["view"]):
        port = _number("port", value["port"], int)
        nodes.append(NodeSpec("viewer", VIEWER, parameters={**sim, "port": port}, **common))
    if _boolean("rviz", value["rviz"]):
        config = value["rviz_config"] or str(resource_path("config/rviz/sem_field.rviz"))
        nodes.append(NodeSpec("rviz2", "rviz2", package="rviz2", arguments=("-d", config), parameters=sim, **common))
    if graph == "replay":
        nodes.append(_player(value, common))
    if _boolean("remap_tf", value["remap_tf"]):
        tf = {topic: topic.lstrip("/") for topic in (TF_TOPIC, TF_STATIC_TOPIC)}
        nodes = [replace(node, remappings={**node.remappings, **tf}) for node in nodes]
    return nodes


def _mapper(value: Mapping[str, str], common: Mapping[str, Any], sim: Mapping[str, Any]) -> NodeSpec:
    parameters: dict[str, Any] = {**sim, "autostart": _boolean("autostart", value["autostart"])}
    for item in _MAPPER_SETTINGS:
        text = value[item.name]
        if text:
            parameters[item.name] = item.check(_number(item.name, text, item.kind) if item.kind is not str else text)
    remappings = {topic: value[name] for name, topic in _TOPICS.items() if value[name]}
    params_file = value["params_file"] or str(resource_path("config/semantic_mapper.yaml"))
    filled = {"params_file": params_file, "parameters": parameters, "remappings": remappings, **common}
    return NodeSpec(MAPPER, MAPPER, **filled)


def _renderer(value: Mapping[str, str], common: Mapping[str, Any], mapper: NodeSpec) -> NodeSpec:
    """The view renderer: camera, frame, segmenter and start as the mapper's."""
    shared = ("use_sim_time", "autostart", "segmenter", "label_set", "global_frame")
    parameters = {name: mapper.parameters[name] for name in shared if name in mapper.parameters}
    without_depth = mapper.parameters.get("depth_source") == "predicted"
    if without_depth:
        parameters["use_depth"] = False
    field = value["field"] or (RGB_FIELD if without_depth else "")
    if field:
        parameters["field"] = field
    params_file = value["view_params_file"] or str(resource_path("config/view_renderer.yaml"))
    filled = {"params_file": params_file, "parameters": parameters, "remappings": mapper.remappings, **common}
    return NodeSpec(RENDERER, RENDERER, **filled)


def _player(value: Mapping[str, str], common: Mapping[str, Any]) -> NodeSpec:
    if not value["path"]:
        raise SettingError("replay needs path:=SEQUENCE, a folder or a bag")
    parameters: dict[str, Any] = {
        "path": value["path"],
        "pace": value["pace"],
        "loops": _number("loops", value["loops"], int),
    }
    for name in ("rate", "start_s", "duration_s"):
        parameters[name] = _number(name, value[name], float)
    remappings = {topic: value[name] for name, topic in _TOPICS.items() if value[name]}
    ends = _boolean("exit_at_end", value["exit_at_end"])
    return NodeSpec(PLAYER, PLAYER, parameters=parameters, remappings=remappings, ends_graph=ends, **common)


def dds_environment(environment: Mapping[str, str] = os.environ, shm: str = "/dev/shm") -> dict[str, str]:
    """What to add to a node's environment so that Fast DDS delivers images and clouds; empty where a profile is chosen.

    scripts/env.sh decides the same for a shell.
    """
    if environment.get("FASTDDS_DEFAULT_PROFILES_FILE") or environment.get("FASTRTPS_DEFAULT_PROFILES_FILE"):
        return {}
    try:
        status = os.statvfs(shm)
        shm_bytes = status.f_blocks * status.f_frsize
    except OSError:
        shm_bytes = 0
    profile = "fastdds.xml" if shm_bytes >= _SHM_FOR_LARGE_SEGMENTS else "fastdds_small_shm.xml"
    path = str(resource_path(f"config/dds/{profile}"))
    names = ["FASTDDS_DEFAULT_PROFILES_FILE"]
    if environment.get("ROS_DISTRO") in ("humble", "jazzy"):
        names.append("FASTRTPS_DEFAULT_PROFILES_FILE")  # its name before Kilted, which warns when it is set
    return dict.fromkeys(names, path)


def _boolean(name: str, text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "false", "0", "no"):
        return text.lower() in ("true", "1", "yes")
    raise SettingError(f"{name} must be true or false, got '{text}'")


def _number(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise SettingError(f"{name} must be {'a whole' if kind is int else 'a'} number, got '{text}'") from error
