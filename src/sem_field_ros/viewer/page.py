"""The web page: takes clouds, mesh blocks, poses and images as they come and shows them at its own pace.

Whoever feeds it only leaves things (any thread, no waiting); one thread of its own draws. While no browser looks,
nothing is decoded or drawn.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Hashable, Iterable, Mapping

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.viewer.camera_drawing import CameraDrawing
from sem_field_ros.viewer.config import ViewerConfig
from sem_field_ros.viewer.eye import Eye
from sem_field_ros.viewer.map_drawing import MapDrawing
from sem_field_ros.viewer.mesh_chunks import Triangles
from sem_field_ros.viewer.pace import Pace
from sem_field_ros.viewer.panel import Panel
from sem_field_ros.viewer.points import LabelledPoints
from sem_field_ros.viewer.scene import Scene
from sem_field_ros.viewer.server import start_server, stop_server

_STATUS_HZ = 2.0


class ViewerPage:
    """One page on one port. `close` ends it; it is a context manager too."""

    def __init__(
        self, config: ViewerConfig, labels: LabelSet | None = None, title: str = "sem_field", has_camera: bool = True
    ) -> None:
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()  # guards what feeders touch: counters, notes
        self._counters: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._tick_s = 1.0 / config.camera_rate_hz
        self._status_pace = Pace(_STATUS_HZ)

        self._server = start_server(config.host, config.port, title)
        self._panel = Panel(self._server, config, self._panel_changed, has_camera)
        self._scene = Scene(self._server)
        self._map = MapDrawing(self._scene, Eye(self._server, config.up_axis), self._panel, config, labels)
        self._camera = CameraDrawing(self._scene, self._panel, config)
        self._server.on_client_connect(lambda _: self._wake.set())
        self._thread = threading.Thread(target=self._run, name="viewer", daemon=True)
        self._thread.start()

    # --- what is fed

    @property
    def url(self) -> str:
        """Where the page is, seen from this machine; the port is the one that was free."""
        host = self._server.get_host()
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{self._server.get_port()}/"

    @property
    def browsers(self) -> int:
        """How many browsers look at the page."""
        return len(self._server.get_clients())

    @property
    def wants_overlay(self) -> bool:
        """Whether the image with labels over it is wanted instead of the camera's."""
        return self._panel.shows_overlay

    def offer_cloud(self, make: Callable[[], LabelledPoints]) -> None:
        """A newer cloud; `make` decodes it if it comes to be shown, its SemFieldErrors become a notice."""
        self._map.cloud.offer(make)
        self._wake.set()

    def update_mesh(
        self, changed: Mapping[Hashable, Triangles], removed: Iterable[Hashable] = (), clear: bool = False
    ) -> None:
        """Mesh blocks that changed or left; `clear` forgets all others first."""
        self._map.update_mesh(changed, removed, clear)
        self._wake.set()

    def set_names(self, names: Mapping[int, str]) -> None:
        """Class names by id, as the robot tells them. Other names than before put the legend up anew."""
        self._map.set_names(names)
        self._wake.set()

    def set_pose(self, T_world_camera: np.ndarray, camera: Intrinsics | None) -> None:
        """The camera's present pose, and its intrinsics where they are known."""
        self._camera.set_pose(T_world_camera, camera)
        self._wake.set()

    def offer_image(self, make: Callable[[], np.ndarray]) -> None:
        """A newer camera image, [h, w, 3] uint8, small; `make` decodes it if it comes to be shown."""
        self._camera.image.offer(make)
        self._wake.set()

    def set_counters(self, counters: Mapping[str, str]) -> None:
        """Rows of the status table that the feeder knows (latency, rate)."""
        with self._lock:
            self._counters = dict(counters)
        self._wake.set()

    def note(self, topic: str, text: str) -> None:
        """A line of notice under the status table; an empty text takes it away."""
        with self._lock:
            self._notes[topic] = text
        self._wake.set()

    def close(self) -> None:
        """End the page."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=5.0)
        stop_server(self._server)

    def __enter__(self) -> ViewerPage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- drawing, on the page's own thread

    def _panel_changed(self) -> None:
        self._map.look_changed()
        self._wake.set()

    def _run(self) -> None:
        waits = False
        while not self._closing.is_set():
            self._wake.wait(self._tick_s if waits else None)
            self._wake.clear()
            waits = False
            if self.browsers and not self._closing.is_set():
                waits = self._draw_guarded()
                self._closing.wait(self._tick_s)

    def _draw_guarded(self) -> bool:
        try:
            return self._draw()
        except Exception as error:  # noqa: BLE001 - the page must outlive anything one message can do
            traceback.print_exc()
            self._notes["drawing"] = f"drawing failed ({type(error).__name__}: {error}); see the viewer's output"
            return False

    def _draw(self) -> bool:
        """Do what is due; True where something waits until it is."""
        replaced = self._scene.clear_outgoing()
        was_empty = self._map.is_empty
        waits = self._map.draw(self._camera.poses(), self._draw_note)
        if self._map.is_empty and not was_empty:  # the map was reset
            self._camera.clear_path()
        waits |= self._camera.draw(self._draw_note)
        return self._draw_status() or waits or replaced

    def _draw_note(self, topic: str, text: str) -> None:
        with self._lock:
            self._notes[topic] = text

    def _draw_status(self) -> bool:
        if not self._status_pace.due():
            return True
        with self._status_pace, self._lock:
            rows = self._map.rows() | self._counters
            note = "; ".join(text for text in self._notes.values() if text)
        self._panel.set_status(rows, note)
        return False
