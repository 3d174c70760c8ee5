"""Draws the robot's camera: its frustum, its path, its current image. One thread draws, any thread feeds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from sem_field_ros.errors import SemFieldError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.viewer.config import ViewerConfig
from sem_field_ros.viewer.drawn_path import DrawnPath
from sem_field_ros.viewer.panel import Panel
from sem_field_ros.viewer.rate_limit import Newest, RateLimit
from sem_field_ros.viewer.scene import Scene

_PATH_HZ = 1.0


class CameraDrawing:
    """The newest pose and image and the path, drawn in the scene."""

    def __init__(self, scene: Scene, panel: Panel, config: ViewerConfig) -> None:
        self._scene, self._panel = scene, panel
        self._lock = threading.Lock()  # guards what is fed: pose, path
        self._path = DrawnPath()
        self._pose: tuple[np.ndarray, Intrinsics | None] | None = None
        self._pose_new = self._path_new = False
        self._path_rate, self._image_rate = RateLimit(_PATH_HZ), RateLimit(config.image_rate_hz or 1.0)
        self._visible = True
        self.image: Newest[np.ndarray] = Newest()

    def set_pose(self, T_world_camera: np.ndarray, camera: Intrinsics | None) -> None:
        """The camera's current pose, and its intrinsics if they are known."""
        with self._lock:
            self._pose, self._pose_new = (T_world_camera, camera), True
            self._path_new |= self._path.add(T_world_camera)

    def set_path(self, poses: Sequence[np.ndarray]) -> None:
        """The whole path of a saved map, T_world_camera in order."""
        with self._lock:
            self._path.clear()
            for T_world_camera in poses:
                self._path.add(T_world_camera)
            self._path_new = True
        self._panel.offer_path()

    def clear_path(self) -> None:
        """Forget the path."""
        with self._lock:
            self._path.clear()
            self._path_new = True

    def poses(self) -> list[np.ndarray]:
        """Poses along the path, T_world_camera."""
        with self._lock:
            return self._path.poses

    def draw(self, note: Callable[[str, str], None]) -> bool:
        """Draw what is due; True if something has to wait."""
        if self._panel.shows_camera != self._visible:
            self._visible = self._panel.shows_camera
            self._scene.show_camera(self._visible)
        with self._lock:
            pose = self._pose if self._pose_new else None
            self._pose_new = False
            segments = None
            if self._path_new and self._path_rate.due():
                segments, self._path_new = self._path.segments(), False
            waits = self._path_new
        if pose is not None:
            self._scene.set_camera(*pose)
        if segments is not None:
            with self._path_rate:
                self._scene.set_path(segments)
        return self._draw_image(note) or waits

    def _draw_image(self, note: Callable[[str, str], None]) -> bool:
        make = self.image.take() if self._image_rate.due() else None
        if make is None:
            return bool(self.image)
        with self._image_rate:
            try:
                image = make()
            except SemFieldError as error:
                note("image", f"camera image: {error}")
                return False
            note("image", "")
            self._panel.set_image(image)
            self._scene.set_frustum_image(image)
        return False
