"""Settings: what MapConfig's flags and node parameters are generated from."""

from __future__ import annotations

import argparse
import math

import pytest

from sem_field_ros.errors import SettingError
from sem_field_ros.fusion.registry import FUSIONS
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments, settings_of


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
