"""Cameras look at the object's centre from the sphere; the spiral's turns lie equally far apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.geometry.camera import project
from sem_field_ros.geometry.poses import check_pose, inverse, transform_points
from sem_field_synth.objects.cameras import DISTANCE, looking_in, object_camera, random_views, spiral_views
from sem_field_synth.objects.part_mesh import RADIUS


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(-90, 60))
def test_random_views_look_at_the_origin_from_the_sphere(seed: int, lowest: float) -> None:
    poses = random_views(8, np.random.default_rng(seed), lowest)
    for T in poses:
        check_pose(T)
        centre = transform_points(inverse(T), np.zeros(3))
        assert centre == pytest.approx([0, 0, DISTANCE], abs=1e-9)
        assert np.degrees(np.arcsin(T[2, 3] / DISTANCE)) >= lowest - 1e-6
        up = transform_points(inverse(T), np.array([0, 0, 0.1]))
        assert up[1] <= 0 and abs(up[0]) < 1e-9  # the image's top is up


def test_random_views_are_even_over_the_sphere() -> None:
    poses = random_views(20_000, np.random.default_rng(0), -90)
    assert (poses[:, 2, 3] < 0).mean() == pytest.approx(0.5, abs=0.02)
    assert (poses[:, 2, 3] > DISTANCE / 2).mean() == pytest.approx(0.25, abs=0.02)


def test_azimuth_zero_is_in_front() -> None:
    assert looking_in(np.zeros(1), np.zeros(1))[0, :3, 3] == pytest.approx([0, -DISTANCE, 0])


def test_spiral_goes_from_the_horizon_to_the_zenith_in_equal_steps() -> None:
    poses = spiral_views(251)
    eyes = poses[:, :3, 3]
    assert eyes[0] == pytest.approx([0, -DISTANCE, 0])
    assert eyes[-1, 2] > 0.99 * DISTANCE
    assert (np.diff(eyes[:, 2]) > 0).all()
    steps = np.linalg.norm(np.diff(eyes, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.1
    assert len(spiral_views(1)) == 1


def test_the_whole_object_is_in_every_picture() -> None:
    camera = object_camera(128)
    assert camera.fx == pytest.approx(131.25)
    sphere = np.random.default_rng(0).normal(size=(2000, 3))
    sphere *= RADIUS / np.linalg.norm(sphere, axis=1, keepdims=True)
    pixels, z = project(transform_points(inverse(spiral_views(5)[2]), sphere), camera)
    assert (z > 0).all() and (pixels > 0).all() and (pixels < 127).all()
    assert np.ptp(pixels) > 0.8 * 128
