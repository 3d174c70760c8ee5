"""Where browsers look from: the whole map in view, the right way up, and hands off once the user has moved."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from sem_field_ros.geometry.viewpoints import look_at
from sem_field_ros.viewer.browser_cameras import BrowserCameras

Z = np.array([0.0, 0.0, 1.0])


class Server:
    """What BrowserCameras needs of a viser server."""

    def __init__(self) -> None:
        self.ups: list[np.ndarray] = []
        self.scene = SimpleNamespace(set_up_direction=self.ups.append)
        self.initial_camera = SimpleNamespace()
        self.client = SimpleNamespace(
            camera=SimpleNamespace(position=np.array([3.0, 3, 3])), atomic=contextlib.nullcontext
        )

    def get_clients(self) -> dict[int, SimpleNamespace]:
        return {0: self.client}


def room(seed: int = 0, size: float = 4.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, size, (2000, 3)) * [1, 1, 0.5]


def rotated(cameras: list[np.ndarray], R: np.ndarray) -> list[np.ndarray]:
    T = np.eye(4)
    T[:3, :3] = R
    return [T @ camera for camera in cameras]


UPRIGHT = [
    look_at(np.array([2.0, 2, 1]), np.array([2 + np.cos(a), 2 + np.sin(a), 0.8]), Z) for a in np.arange(0, 6, 0.2)
]
DOWN = [look_at(np.array([2.0, x, 2]), np.array([2.5, x, 0.2]), Z) for x in np.arange(0, 3, 0.2)]


def test_all_of_the_map_is_in_view_from_above() -> None:
    server = Server()
    points = room()
    BrowserCameras(server, "auto").follow(points, np.zeros_like(points), UPRIGHT)  # type: ignore[arg-type]
    camera = server.initial_camera
    T = look_at(camera.position, camera.look_at, camera.up)
    local = (points - camera.position) @ T[:3, :3]
    slope = np.abs(local[:, :2] / local[:, 2:])
    assert (local[:, 2] > 0).all() and camera.position[2] > 2
    assert (slope[:, 1] < np.tan(camera.fov / 2)).mean() > 0.99
    assert np.allclose(server.client.camera.position, camera.position)


@pytest.mark.parametrize("cameras", [UPRIGHT, DOWN])
def test_up_is_z_for_level_cameras_whether_they_look_ahead_or_down(cameras: list[np.ndarray]) -> None:
    server = Server()
    BrowserCameras(server, "auto").follow(room(), np.zeros((2000, 3)), cameras)  # type: ignore[arg-type]
    assert np.allclose(server.initial_camera.up, Z)


def test_up_is_the_cameras_up_where_the_world_is_not_z_up() -> None:
    optical = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # z up -> y down, as many data sets have it
    server = Server()
    cameras = BrowserCameras(server, "auto")  # type: ignore[arg-type]
    cameras.follow(room() @ optical.T, np.zeros((2000, 3)), rotated(UPRIGHT, optical))
    assert server.initial_camera.up @ [0, -1, 0] > np.cos(np.radians(15))
    given = Server()
    BrowserCameras(given, "-x").follow(room(), np.zeros((2000, 3)), UPRIGHT)  # type: ignore[arg-type]
    assert np.allclose(given.initial_camera.up, [-1, 0, 0])


def test_a_growing_map_is_followed_until_the_user_moves() -> None:
    server = Server()
    cameras = BrowserCameras(server, "auto")  # type: ignore[arg-type]
    cameras.follow(room(), np.zeros((2000, 3)), UPRIGHT)
    first = server.client.camera.position
    cameras.follow(room(1), np.zeros((2000, 3)), UPRIGHT)  # other points of the same room
    assert server.client.camera.position is first
    cameras.follow(room(size=8.0), np.zeros((2000, 3)), UPRIGHT)
    assert np.linalg.norm(server.client.camera.position - first) > 1
    mine = server.client.camera.position = np.array([1.0, 2.0, 9.0])
    cameras.follow(room(size=20.0), np.zeros((2000, 3)), UPRIGHT)
    assert server.client.camera.position is mine and np.linalg.norm(server.initial_camera.position) > 9


def test_the_view_is_aimed_anew_once_the_robots_camera_is_known() -> None:
    optical = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    server = Server()
    cameras = BrowserCameras(server, "auto")  # type: ignore[arg-type]
    points = room() @ optical.T
    cameras.follow(points, np.zeros((2000, 3)), [])
    assert np.allclose(cameras.up, Z)
    cameras.follow(points, np.zeros((2000, 3)), rotated(UPRIGHT, optical))
    assert cameras.up @ [0, -1, 0] > np.cos(np.radians(15)) and np.allclose(server.ups[-1], cameras.up)
