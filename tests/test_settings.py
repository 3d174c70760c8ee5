"""Settings: what MapConfig's flags and node parameters are generated from."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import pytest

from sem_field_ros.errors import SettingError
from sem_field_ros.fusion.registry import FUSIONS
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.settings import (
    add_settings_arguments,
    check_settings,
    current_names,
    setting,
    settings_from_arguments,
    settings_of,
)


def test_every_field_of_the_map_config_is_described() -> None:
    items = {s.name: s for s in settings_of(MapConfig)}
    assert set(items) == set(MapConfig.__dataclass_fields__)
    assert all(s.help for s in items.values())
    voxel = items["voxel_size_m"]
    assert (voxel.kind, voxel.default, voxel.minimum, voxel.flag) == (float, 0.05, 0.002, "--voxel-size-m")
    assert items["fusion"].choices == tuple(FUSIONS)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("voxel_size_m", 0.0, "0.002 to 1"),
        ("voxel_size_m", math.nan, "nan"),
        ("voxel_size_m", math.inf, "inf"),
        ("voxel_size_m", "0.05", "must be float"),
        ("max_blocks", 2.5, "must be int"),
        ("max_blocks", True, "must be int"),
        ("fusion", "vote", "bayesian, majority"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_one_line(field: str, value: object, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        MapConfig(**{field: value})
    assert field in str(caught.value) and "\n" not in str(caught.value)


def test_depth_range_must_not_be_empty() -> None:
    with pytest.raises(SettingError, match="depth_min_m"):
        MapConfig(depth_min_m=4.0)


def test_an_int_for_a_float_is_converted() -> None:
    config = MapConfig(depth_max_m=3)
    assert config.depth_max_m == 3.0 and isinstance(config.depth_max_m, float)


def test_flags_build_the_config() -> None:
    parser = argparse.ArgumentParser()
    add_settings_arguments(parser, MapConfig, skip=("device",))
    args = parser.parse_args(["--voxel-size-m", "0.02", "--fusion", "majority"])
    assert settings_from_arguments(MapConfig, args, device="cuda") == MapConfig(
        voxel_size_m=0.02, fusion="majority", device="cuda"
    )


@dataclass(frozen=True)
class Renamed:
    """A setting, a switch and an axis, two of them with former names."""

    size_m: float = setting(1.0, "a size", minimum=0.0, formerly=("edge_m", "width_m"))
    fast: bool = setting(True, "a switch", formerly=("quick",))
    up: str = setting("z", "an axis", choices=("z", "-z"), spellings={"+z": "z"})

    def __post_init__(self) -> None:
        check_settings(self)


@pytest.fixture
def renamed_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sem-field test")
    add_settings_arguments(parser, Renamed)
    return parser


@pytest.mark.parametrize(
    ("arguments", "expected", "warning"),
    [
        (["--edge-m", "2"], Renamed(size_m=2.0), "--edge-m is called --size-m now"),
        (["--width-m=3"], Renamed(size_m=3.0), "--width-m is called --size-m now"),
        (["--no-quick"], Renamed(fast=False), "--no-quick is called --no-fast now"),
        (["--no-fast", "--quick"], Renamed(), "--quick is called --fast now"),
        (["--size-m", "4", "--up", "+z"], Renamed(size_m=4.0), ""),
    ],
)
def test_former_flags_still_work_with_one_line_of_warning(
    renamed_parser: argparse.ArgumentParser,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: Renamed,
    warning: str,
) -> None:
    assert settings_from_arguments(Renamed, renamed_parser.parse_args(arguments)) == expected
    captured = capsys.readouterr()
    assert captured.out == ""
    if warning:
        line = f"sem-field test: {warning}; the old name works until the next release\n"
        assert captured.err == line
    else:
        assert captured.err == ""


def test_former_flags_are_checked_as_the_present_ones(
    renamed_parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        renamed_parser.parse_args(["--edge-m", "wide"])
    with pytest.raises(SystemExit):
        renamed_parser.parse_args(["--edge-m=-1"])
    assert "must be at least 0, got -1.0" in capsys.readouterr().err


def test_former_flags_are_not_shown(renamed_parser: argparse.ArgumentParser) -> None:
    text = renamed_parser.format_help()
    assert "--size-m" in text and "--no-fast" in text
    assert "edge" not in text and "width" not in text and "quick" not in text


def test_stored_values_are_read_under_their_former_names() -> None:
    warnings: list[str] = []
    found = current_names(settings_of(Renamed), {"edge_m": 2.0, "up": "-z", "other": 1}, warnings.append)
    assert found == {"size_m": 2.0, "up": "-z", "other": 1}
    assert warnings == ["edge_m is called size_m now; the old name works until the next release"]
    assert current_names(settings_of(Renamed), {"quick": False}) == {"fast": False}


def test_a_parameter_file_with_all_defaults_does_not_hide_a_former_name() -> None:
    assert current_names(settings_of(Renamed), {"size_m": 1.0, "edge_m": 2.0}) == {"size_m": 2.0}
    assert current_names(settings_of(Renamed), {"size_m": 2.0, "edge_m": 2.0}) == {"size_m": 2.0}
    with pytest.raises(SettingError, match=r"size_m is 3.0, but edge_m, its former name, is 2.0: give size_m alone"):
        current_names(settings_of(Renamed), {"size_m": 3.0, "edge_m": 2.0})


def test_other_spellings_of_a_choice_are_taken() -> None:
    assert Renamed(up="+z").up == "z"
    with pytest.raises(SettingError, match="one of z, -z, got 'up'"):
        Renamed(up="up")
