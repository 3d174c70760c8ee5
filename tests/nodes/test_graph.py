"""The table of nodes: arguments filled in, parameters and topics that the nodes really have, the DDS profile."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sem_field_ros.errors import SettingError
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.nodes.graph import MODULES, NodeSpec, arguments_of, dds_environment, nodes_of
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.nodes.player.options import PlayerOptions
from sem_field_ros.nodes.view_renderer.options import ViewRendererOptions
from sem_field_ros.nodes.viewer.sources import ViewerSources
from sem_field_ros.settings import settings_of
from sem_field_ros.viewer.config import ViewerConfig

GRAPHS = ("bringup", "rgb", "replay")
SETTINGS = {
    "semantic_mapper": (MapperOptions, MapConfig),
    "sequence_player": (PlayerOptions,),
    "view_renderer": (ViewRendererOptions,),
    "viewer": (ViewerConfig, ViewerSources),
}
EVERYTHING = {
    "namespace": "robot1",
    "use_sim_time": "true",
    "autostart": "false",
    "log_level": "debug",
    "segmenter": "external",
    "label_set": "nyu40",
    "fusion": "majority",
    "voxel_size_m": "0.02",
    "global_frame": "world",
    "maps_directory": "/maps",
    "color_topic": "/cam/rgb",
    "camera_info_topic": "/cam/info",
    "depth_topic": "/cam/depth",
    "label_topic": "/cam/label",
    "render_views": "true",
    "field": "gnesf_field_homes",
    "view": "true",
    "port": "9000",
    "path": "/data/room",
}


def given(graph: str) -> dict[str, str]:
    """EVERYTHING, as far as the graph knows it."""
    return {a.name: EVERYTHING[a.name] for a in arguments_of(graph) if a.name in EVERYTHING}


def test_executables_are_started_as_setup_installs_them() -> None:
    setup = (Path(__file__).parents[2] / "setup.py").read_text(encoding="utf-8")
    assert dict(re.findall(r'"(\w+) = ([\w.]+):main"', setup)) == MODULES
    assert all(importlib.util.find_spec(module) for module in MODULES.values())


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_argument_is_described_once(graph: str) -> None:
    arguments = arguments_of(graph)
    assert len({a.name for a in arguments}) == len(arguments)
    assert all(len(a.description) > 8 for a in arguments)
    expected = {"namespace", "use_sim_time", "params_file", "autostart", "log_level", "rviz"}
    assert expected <= {a.name for a in arguments}


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_defaults_alone_make_a_graph(graph: str) -> None:
    specs = nodes_of(graph, {"path": "somewhere"} if graph == "replay" else {})
    names = [s.executable for s in specs]
    assert names == (["semantic_mapper"] if graph != "replay" else ["semantic_mapper", "sequence_player"])
    mapper = specs[0]
    assert Path(mapper.params_file).is_file()
    predicted = {"depth_source": "predicted"} if graph == "rgb" else {}
    assert mapper.parameters == {"use_sim_time": graph == "replay", "autostart": True, **predicted}
    assert mapper.remappings == {}


@pytest.mark.parametrize("graph", GRAPHS)
def test_arguments_reach_parameters_that_the_nodes_have(graph: str) -> None:
    specs = {s.executable: s for s in nodes_of(graph, given(graph))}
    for executable, classes in SETTINGS.items():
        if executable not in specs:
            continue
        known = {item.name: item for cls in classes for item in settings_of(cls)}
        for name, value in specs[executable].parameters.items():
            if name != "use_sim_time":
                known[name].check(value)
    mapper = specs["semantic_mapper"]
    assert mapper.parameters["voxel_size_m"] == 0.02 and mapper.parameters["autostart"] is False
    assert mapper.remappings["camera/depth/image_raw"] == "/cam/depth"
    assert specs["viewer"].parameters["port"] == 9000
    renderer = specs["view_renderer"]
    assert Path(renderer.params_file).name == "view_renderer.yaml" and renderer.remappings == mapper.remappings
    shared = {"segmenter": "external", "label_set": "nyu40", "global_frame": "world", "autostart": False}
    assert shared.items() <= renderer.parameters.items() and renderer.parameters["field"] == "gnesf_field_homes"


def test_views_without_depth_come_from_a_field_that_needs_none() -> None:
    with_depth, without = (nodes_of(graph, {"render_views": "true"})[1] for graph in ("bringup", "rgb"))
    assert "field" not in with_depth.parameters and "use_depth" not in with_depth.parameters
    assert without.parameters["use_depth"] is False and without.parameters["field"] == "gsnerf"


@pytest.mark.parametrize(
    ("graph", "arguments", "complaint"),
    [
        ("bringup", {"voxel_size": "0.05"}, "unknown argument voxel_size"),
        ("bringup", {"path": "x"}, "unknown argument path"),
        ("bringup", {"use_sim_time": "maybe"}, "use_sim_time must be true or false"),
        ("bringup", {"voxel_size_m": "5cm"}, "voxel_size_m must be a number"),
        ("replay", {}, "replay needs path:="),
        ("replay", {"path": "x", "loops": "1.5"}, "loops must be a whole number"),
        ("lunch", {}, "choose bringup, rgb or replay"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(graph: str, arguments: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint) as caught:
        nodes_of(graph, arguments)
    assert "\n" not in str(caught.value)


def test_a_former_argument_is_taken_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    mapper = nodes_of("bringup", {"geometry": "predicted"})[0]
    assert mapper.parameters["depth_source"] == "predicted" and "geometry" not in mapper.parameters
    assert capsys.readouterr().err == (
        "bringup: geometry is called depth_source now; the old name works until the next release\n"
    )
    assert nodes_of("rgb", {"geometry": "depth"})[0].parameters["depth_source"] == "depth"
    with pytest.raises(SettingError, match="depth_source is 'depth', but geometry"):
        nodes_of("rgb", {"geometry": "predicted", "depth_source": "depth"})


def test_ros_arguments_are_typed() -> None:
    spec = NodeSpec(
        "semantic_mapper",
        "mapper",
        namespace="robot1",
        params_file="/p.yaml",
        parameters={"autostart": False, "voxel_size_m": 0.05, "label_set": "123", "loops": 2},
        remappings={"a/b": "/c"},
        log_level="warn",
    )
    assert " ".join(spec.ros_arguments()) == (
        "--ros-args -r __node:=mapper --log-level warn -r __ns:=/robot1 --params-file /p.yaml "
        "-p autostart:=false -p voxel_size_m:=0.05 -p label_set:='123' -p loops:=2 -r a/b:=/c"
    )


def test_dds_profile_fits_the_shared_memory(tmp_path: Path) -> None:
    missing = dds_environment({}, shm=str(tmp_path / "none"))
    assert Path(missing["FASTDDS_DEFAULT_PROFILES_FILE"]).name == "fastdds_small_shm.xml"
    status = os.statvfs("/")
    if status.f_blocks * status.f_frsize > 1e9:
        assert Path(dds_environment({}, shm="/")["FASTDDS_DEFAULT_PROFILES_FILE"]).name == "fastdds.xml"
    assert set(dds_environment({"ROS_DISTRO": "jazzy"})) == {
        "FASTDDS_DEFAULT_PROFILES_FILE",
        "FASTRTPS_DEFAULT_PROFILES_FILE",
    }
    assert set(dds_environment({"ROS_DISTRO": "kilted"})) == {"FASTDDS_DEFAULT_PROFILES_FILE"}
    assert dds_environment({"FASTRTPS_DEFAULT_PROFILES_FILE": "/mine.xml"}) == {}


def test_the_table_needs_neither_rclpy_nor_launch() -> None:
    script = "import sys, sem_field_ros.nodes.graph; print({'rclpy', 'launch', 'torch'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_tf_can_be_taken_from_the_namespace() -> None:
    for node in nodes_of("bringup", {"namespace": "robot1", "remap_tf": "true", "color_topic": "/c/image_raw"}):
        assert node.remappings["/tf"] == "tf" and node.remappings["/tf_static"] == "tf_static"
    assert "/tf" not in nodes_of("bringup", {"namespace": "robot1"})[0].remappings
