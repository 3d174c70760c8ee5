"""Axes by name and the rotations that put a world upright."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.geometry.axes import AXES, axis_vector, rotation_between, upright

components = st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 0.1)


@pytest.mark.parametrize(
    ("name", "vector"), [("x", (1, 0, 0)), ("-y", (0, -1, 0)), ("z", (0, 0, 1)), ("+y", (0, 1, 0)), ("-z", (0, 0, -1))]
)
def test_axes_by_name(name: str, vector: tuple[int, int, int]) -> None:
    assert axis_vector(name).tolist() == list(vector)


@pytest.mark.parametrize("name", ["", "w", "--y", "Z", "y-", "+-x"])
def test_other_texts_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="one of x, y, z, -x, -y, -z"):
        axis_vector(name)


@pytest.mark.parametrize("name", AXES)
def test_every_axis_is_put_upright_by_a_rotation(name: str) -> None:
    R = upright(name)
    assert np.allclose(R @ axis_vector(name), [0, 0, 1]) and np.allclose(R @ R.T, np.eye(3))
    assert np.linalg.det(R) == pytest.approx(1)


def test_known_turns() -> None:
    assert np.allclose(upright("z"), np.eye(3))
    assert np.allclose(upright("-y"), [[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # z, into the picture, becomes y
    assert np.allclose(upright("-z"), np.diag([1, -1, -1]))


@given(components, components)
def test_the_rotation_between_two_directions(a: list[float], b: list[float]) -> None:
    source, target = (np.array(v) / np.linalg.norm(v) for v in (a, b))
    for goal in (target, -source, source):
        R = rotation_between(source, goal)
        assert np.allclose(R @ source, goal, atol=1e-6) and np.allclose(R @ R.T, np.eye(3), atol=1e-6)
