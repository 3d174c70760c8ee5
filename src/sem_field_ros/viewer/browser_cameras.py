"""The cameras of the browsers: a view of the whole map, kept up to date until the user moves it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import viser

from sem_field_ros.geometry.axes import axis_vector
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.viewpoints import estimate_up, fit_view, two_views
from sem_field_ros.viewer.config import AUTO

_ELEVATION = np.radians(38)
_FOV = np.radians(50)
_VIEW = Intrinsics(
    256 / np.tan(_FOV / 2), 256 / np.tan(_FOV / 2), 299.5, 255.5, 600, 512
)  # about the page left of its panel
_BACK = 1.08  # a little farther away than the whole map needs
_GROWTH = 0.03  # the view follows when the map has grown, or moved, by this share of its size


class BrowserCameras:
    """Aims the browsers' cameras at the map. Called from one thread."""

    def __init__(self, server: viser.ViserServer, up_axis: str) -> None:
        self._server = server
        self._given_up = None if up_axis == AUTO else axis_vector(up_axis)
        self._up = axis_vector("z") if self._given_up is None else self._given_up
        self._box: np.ndarray | None = None
        self._knows_cameras = False
        self._aims: list[np.ndarray] = []  # where this class has put cameras
        server.scene.set_up_direction(self._up)
        server.initial_camera.fov = float(_FOV)

    @property
    def up(self) -> np.ndarray:
        """Unit vector [3] that browsers show upright, in the map frame."""
        return self._up

    def forget(self) -> None:
        """Forget the last map, so that the next one is aimed at."""
        self._box = None

    def follow(self, points: np.ndarray, normals: np.ndarray, cameras: Sequence[np.ndarray]) -> None:
        """Aim at points [N, 3] (unit normals [N, 3], zeros where unknown) if they need another view than the last.

        cameras  T_world_camera of the robot's camera: from them come the up direction and the side of the view
        """
        if len(points) < 10:
            return
        box = np.quantile(points, [0.01, 0.99], axis=0)
        fits = self._box is not None and np.abs(box - self._box).max() < _GROWTH * np.linalg.norm(box[1] - box[0])
        if fits and (self._knows_cameras or not cameras):
            return
        self._box, self._knows_cameras = box, bool(cameras)
        self._set_up(normals, cameras)
        if cameras:
            T = fit_view(points, np.zeros_like(points), self._camera_side(points, cameras), self._up, _VIEW)
        else:
            T = two_views(points, normals, self._up, _VIEW)[0]
        self._move(T, np.median(points, axis=0))

    def _set_up(self, normals: np.ndarray, cameras: Sequence[np.ndarray]) -> None:
        if self._given_up is not None:
            return
        up = axis_vector("z") if _looks_down(cameras) else estimate_up(normals, cameras)
        if up @ self._up < np.cos(np.radians(3)):
            self._up = up
            self._server.scene.set_up_direction(up)

    def _camera_side(self, points: np.ndarray, cameras: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vector from the map towards the robot's cameras, raised to look down on the map."""
        centre = np.mean([T[:3, 3] for T in cameras], axis=0) - np.median(points, axis=0)
        side = centre - self._up * (centre @ self._up)
        if np.linalg.norm(side) < 1e-3:
            side = np.cross(self._up, np.eye(3)[np.abs(self._up).argmin()])
        return np.cos(_ELEVATION) * side / np.linalg.norm(side) + np.sin(_ELEVATION) * self._up

    def _move(self, T: np.ndarray, target: np.ndarray) -> None:
        position = T[:3, 3]
        position = target + _BACK * (position - target)
        target = position + T[:3, 2] * float((target - position) @ T[:3, 2])
        initial = self._server.initial_camera
        initial.position, initial.look_at, initial.up = position, target, self._up
        for client in self._server.get_clients().values():
            if self._untouched(client.camera.position):
                with client.atomic():
                    client.camera.up_direction = self._up
                    client.camera.position = position
                    client.camera.look_at = target
                    client.camera.fov = float(_FOV)
        self._aims = [*self._aims[-20:], position]

    def _untouched(self, position: np.ndarray) -> bool:
        """Whether a browser's camera is still where this class has put it."""
        return not self._aims or any(
            np.linalg.norm(position - aim) < 1e-2 * (1 + np.linalg.norm(aim)) for aim in self._aims
        )


def _looks_down(cameras: Sequence[np.ndarray]) -> bool:
    """Whether these cameras look down on a z-up world and are held level (a gripper's, a tilted head's).

    estimate_up assumes cameras that are upright on average, which these are not.
    """
    if not cameras:
        return False
    axes = np.stack([T[:3, :3] for T in cameras])  # columns: right, down, forward
    return bool(axes[:, 2, 2].mean() < -0.4 and np.abs(axes[:, 2, 0]).mean() < 0.35)
