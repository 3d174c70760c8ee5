"""The launch files as `ros2 launch` reads them; a recording stand-in takes the place of launch where there is none."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sem_field_ros.nodes.graph import arguments_of

LAUNCH_FILES = sorted((Path(__file__).resolve().parents[2] / "launch").glob("*.launch.py"))


class Recorded(SimpleNamespace):
    """An action of launch: what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(args=args, **kwargs)


@pytest.fixture
def launch_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules launch and launch_ros whose actions only remember their arguments."""

    class LaunchConfiguration(Recorded):
        def perform(self, context: dict[str, str]) -> str:
            return context.get(self.args[0], self.default) if hasattr(self, "default") else context[self.args[0]]

    names = {
        "launch": {"LaunchDescription": lambda entities: list(entities)},
        "launch.actions": {
            "DeclareLaunchArgument": type("DeclareLaunchArgument", (Recorded,), {}),
            "OpaqueFunction": type("OpaqueFunction", (Recorded,), {}),
            "Shutdown": type("Shutdown", (Recorded,), {}),
        },
        "launch.substitutions": {"LaunchConfiguration": LaunchConfiguration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": type("Node", (Recorded,), {})},
    }
    for name, contents in names.items():
        module = ModuleType(name)
        module.__dict__.update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "sem_field_ros.nodes.launching", raising=False)


def describe(path: Path) -> Callable[[], Any]:
    return runpy.run_path(str(path))["generate_launch_description"]


def test_there_are_the_two_launch_files() -> None:
    assert [p.name for p in LAUNCH_FILES] == ["bringup.launch.py", "replay.launch.py", "rgb.launch.py"]


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda p: p.name)
def test_launch_files_declare_and_describe_every_argument(path: Path, launch_stand_in: None) -> None:
    entities = describe(path)()
    declared = [e for e in entities if type(e).__name__ == "DeclareLaunchArgument"]
    graph = path.name.partition(".")[0]
    assert [d.args[0] for d in declared] == [a.name for a in arguments_of(graph)]
    assert all(d.description for d in declared)


def test_replay_starts_mapper_and_player(launch_stand_in: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)
    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    *_, opaque = describe(LAUNCH_FILES[1])()
    values = {a.name: a.default for a in arguments_of("replay")} | {"path": "/data", "namespace": "robot1"}
    mapper, player = opaque.function(values)
    assert (mapper.executable, player.executable) == ("semantic_mapper", "sequence_player")
    assert mapper.package == player.package == "sem_field_ros" and mapper.namespace == "robot1"
    params_file, parameters = mapper.parameters
    assert Path(params_file).is_file() and parameters["use_sim_time"] is True
    assert player.parameters[0]["path"] == "/data"
    assert mapper.on_exit is None and player.on_exit is not None, "the end of the replay ends the launch"
    assert Path(mapper.additional_env["FASTDDS_DEFAULT_PROFILES_FILE"]).is_file()


def test_a_former_argument_reaches_the_mapper(launch_stand_in: None) -> None:
    path = next(p for p in LAUNCH_FILES if p.name.startswith("bringup"))
    *_, opaque = describe(path)()
    values = {a.name: a.default for a in arguments_of("bringup")} | {"geometry": "predicted"}
    (mapper,) = opaque.function(values)
    assert mapper.parameters[1]["depth_source"] == "predicted"


@pytest.mark.skipif(importlib.util.find_spec("launch_ros") is None, reason="this ROS 2 has no launch")
@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda p: p.name)
def test_the_real_launch_reads_the_files(path: Path) -> None:
    description = describe(path)()
    graph = path.name.partition(".")[0]
    assert [a.name for a in description.get_launch_arguments()] == [a.name for a in arguments_of(graph)]
