"""Parameters: the YAML is the table is the defaults; descriptors, start-up overrides and changes are checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rclpy.parameter import Parameter

from sem_field_ros.errors import SettingError
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.nodes.mapper.options import DYNAMIC, YAML_SECTIONS, YAML_TITLE, MapperOptions
from sem_field_ros.resources import resource_path
from sem_field_ros.ros.parameters import (
    declare_settings,
    guard_changes,
    parameters_yaml,
    settings_from_node,
    warn_of_unknown_parameters,
)
from sem_field_ros.settings import settings_of
from tests.ros.conftest import RosHarness

CLASSES = (MapperOptions, MapConfig)
TABLE = {item.name: item for cls in CLASSES for item in settings_of(cls)}


def declared(ros: RosHarness, **overrides: Any):
    node = ros.node(parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()])
    for cls in CLASSES:
        declare_settings(node, cls, DYNAMIC)
    return node


def test_the_yaml_file_is_what_the_table_says() -> None:
    text = resource_path("config/semantic_mapper.yaml").read_text(encoding="utf-8")
    sections = (*YAML_SECTIONS, ("the map", MapConfig))
    assert text == parameters_yaml(YAML_TITLE, sections, DYNAMIC), "run python -m sem_field_ros.nodes.mapper.options"


def test_the_yaml_values_are_the_defaults_and_every_one_has_a_comment() -> None:
    text = resource_path("config/semantic_mapper.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert list(values) == list(TABLE)
    for name, value in values.items():
        assert type(value) is TABLE[name].kind, name  # 1 instead of 1.0 would not start the node
        assert value == TABLE[name].default, name
    lines = text.splitlines()
    for before, line in zip(lines, lines[1:], strict=False):
        if line.startswith("    ") and not line.strip().startswith("#"):
            assert before.strip().startswith("# "), f"no comment above {line}"


def test_names_are_unique_and_dynamic_ones_exist() -> None:
    assert len(TABLE) == sum(len(settings_of(cls)) for cls in CLASSES)
    assert set(TABLE) >= DYNAMIC


def test_declared_with_description_and_range(ros: RosHarness) -> None:
    node = declared(ros)
    for name, item in TABLE.items():
        descriptor = node.describe_parameter(name)
        assert descriptor.description == item.help and len(item.help) > 10
        if item.kind is float and item.minimum is not None and item.maximum is not None:
            found = descriptor.floating_point_range[0]
            assert (found.from_value, found.to_value) == (item.minimum, item.maximum)
        if item.choices:
            assert ", ".join(item.choices) in descriptor.additional_constraints
        wanted = "takes effect at once" if name in DYNAMIC else "takes effect at the next configure"
        assert wanted in descriptor.additional_constraints


def test_defaults_give_default_options(ros: RosHarness) -> None:
    node = declared(ros)
    assert settings_from_node(node, MapConfig) == MapConfig()
    assert settings_from_node(node, MapperOptions) == MapperOptions()


def test_overrides_reach_the_config(ros: RosHarness) -> None:
    node = declared(ros, voxel_size_m=0.02, fusion="majority", max_blocks=77)
    config = settings_from_node(node, MapConfig)
    assert (config.voxel_size_m, config.fusion, config.max_blocks) == (0.02, "majority", 77)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("voxel_size_m", 1, "voxel_size_m must be a number with a decimal point .*got 1"),
        ("voxel_size_m", -0.5, "voxel_size_m must be .*got -0.5"),
        ("max_blocks", 0, "max_blocks must be .*got 0"),
        ("fusion", "magic", "fusion must be one of gnesf, bayesian, .*got 'magic'"),
        ("autostart", "yes", "autostart must be true or false, got 'yes'"),
    ],
)
def test_bad_overrides_are_one_clear_line(ros: RosHarness, name: str, value: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        declared(ros, **{name: value})
    assert "\n" not in str(caught.value)


def test_former_names_reach_the_config_with_one_line_each(ros: RosHarness, capfd: pytest.CaptureFixture[str]) -> None:
    node = declared(ros, geometry="predicted", depth_source="depth", context_m=0.0)  # as beside a whole parameter file
    config = settings_from_node(node, MapConfig)
    assert (config.depth_source, config.smoothing_cell_m) == ("predicted", 0.0)
    assert not node.has_parameter("geometry")
    lines = [line for line in capfd.readouterr().err.splitlines() if "is called" in line]
    assert len(lines) == 2 and "geometry is called depth_source now" in lines[0] and "[WARN]" in lines[0]


def test_former_and_present_name_with_different_values_are_refused(ros: RosHarness) -> None:
    with pytest.raises(SettingError, match="smoothing_cell_m is 0.1, but context_m, its former name, is 0.3"):
        declared(ros, smoothing_cell_m=0.1, context_m=0.3)


def test_a_bad_value_under_a_former_name_is_one_clear_line(ros: RosHarness) -> None:
    with pytest.raises(SettingError, match="depth_source must be one of depth, predicted, got 'stereo'"):
        declared(ros, geometry="stereo")


@pytest.fixture
def guarded(ros: RosHarness) -> Iterator[tuple[Any, list[bool]]]:
    node = declared(ros)
    configured = [False]
    guard_changes(node, CLASSES, DYNAMIC, lambda: configured[0])
    yield node, configured


def change(node: Any, name: str, value: Any) -> tuple[bool, str]:
    result = node.set_parameters([Parameter(name, value=value)])[0]
    return result.successful, result.reason


def test_fixed_parameters_change_only_while_unconfigured(guarded: tuple[Any, list[bool]]) -> None:
    node, configured = guarded
    assert change(node, "voxel_size_m", 0.1)[0]
    configured[0] = True
    ok, reason = change(node, "voxel_size_m", 0.02)
    assert not ok and "clean up first" in reason
    assert change(node, "voxel_size_m", 0.1)[0], "the same value again is no change"
    assert node.get_parameter("voxel_size_m").value == 0.1


def test_dynamic_parameters_change_while_configured(guarded: tuple[Any, list[bool]]) -> None:
    node, configured = guarded
    configured[0] = True
    assert change(node, "cloud_rate_hz", 9.0)[0]
    assert settings_from_node(node, MapperOptions).cloud_rate_hz == 9.0


@pytest.mark.parametrize(("name", "value"), [("cloud_rate_hz", 0.0), ("on_map_jump", "panic"), ("fusion", "magic")])
def test_changes_that_do_not_fit_are_refused(guarded: tuple[Any, list[bool]], name: str, value: Any) -> None:
    node, _ = guarded
    before = node.get_parameter(name).value
    ok, reason = change(node, name, value)
    assert not ok and reason
    assert node.get_parameter(name).value == before


def test_parameters_and_files_that_do_not_apply_are_named(
    ros: RosHarness, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    node = declared(ros, voxel_size=0.02, voxel_size_m=0.03, geometry="predicted")
    (tmp_path / "other.yaml").write_text("semantic_map:\n  ros__parameters: {voxel_size_m: 0.02}\n")
    (tmp_path / "own.yaml").write_text("/**:\n  ros__parameters: {voxel_size_m: 0.02}\n")
    args = [
        "x",
        "--ros-args",
        "--params-file",
        str(tmp_path / "other.yaml"),
        "--params-file",
        str(tmp_path / "own.yaml"),
    ]
    capfd.readouterr()
    warn_of_unknown_parameters(node, CLASSES, args)
    lines = [line for line in capfd.readouterr().err.splitlines() if "[WARN]" in line]
    assert len(lines) == 2, lines
    assert "parameter voxel_size is unknown and has no effect; did you mean voxel_size_m?" in lines[0]
    assert "other.yaml has parameters of semantic_map, none of" in lines[1]
