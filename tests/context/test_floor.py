"""The height of the floor, on surfaces with known heights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sem_field_ros.context.floor import floor_height

VOXEL = 0.05


def plate(width_m: float, depth_m: float, height: float, upward: float = 1.0, noise: float = 0.0) -> Tensor:
    """Voxels of a level plate [n, 2]: height, cosine of normal and up."""
    count = round(width_m / VOXEL) * round(depth_m / VOXEL)
    g = torch.Generator().manual_seed(count)
    return torch.stack([height + noise * torch.randn(count, generator=g), torch.full((count,), upward)], dim=1)


def legs(low: float, high: float, count: int = 60) -> Tensor:
    return torch.stack([torch.linspace(low, high, count), torch.zeros(count)], dim=1)


def found(*parts: Tensor) -> float | None:
    together = torch.cat(parts)
    return floor_height(together[:, 0], together[:, 1], VOXEL)


TABLE = plate(1.4, 0.8, 0.75)


def test_the_floor_is_the_lowest_level_not_the_largest() -> None:
    assert found(plate(1.0, 0.6, -0.4), plate(3.0, 2.0, 0.35), legs(-0.4, 2.0)) == pytest.approx(-0.4, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.floats(-50, 50), st.floats(0, 0.015))
def test_it_is_found_wherever_the_origin_is(height: float, noise: float) -> None:
    floor = found(plate(3, 2, height, noise=noise), plate(1.2, 0.8, height + 0.75), legs(height, height + 2.4))
    assert floor == pytest.approx(height, abs=0.01)


def test_a_table_alone_is_no_floor() -> None:
    assert found(plate(1.2, 0.7, 0.75)) is None
    assert found(plate(1.2, 0.7, 0.75), legs(0.9, 2.0)) is None


def test_a_large_table_with_its_legs_is_no_floor() -> None:
    assert found(plate(2.0, 1.0, 0.75), legs(0.0, 0.7, 200)) is None


def test_a_glimpse_of_floor_below_a_table_is_enough() -> None:
    assert found(plate(0.8, 0.5, 0.0), TABLE, legs(0.0, 0.7)) == pytest.approx(0.0, abs=1e-6)


def test_undersides_and_noise_below_do_not_count() -> None:
    noise = torch.stack([torch.linspace(-1.0, -0.5, 20), torch.ones(20)], dim=1)
    ceiling = plate(3.0, 2.0, -0.2, upward=-1.0)[:30]
    assert found(plate(3.0, 2.0, 0.0), TABLE, noise, ceiling) == pytest.approx(0.0, abs=1e-6)


def test_no_surface_no_floor() -> None:
    assert found(torch.zeros(0, 2)) is None
    assert found(legs(0.0, 2.0, 500)) is None
    assert np.isclose(found(plate(2.0, 2.0, 1.0)) or 0, 1.0)
