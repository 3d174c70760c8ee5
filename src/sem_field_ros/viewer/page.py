"""The web page: takes clouds, mesh blocks, poses and images as they come and draws them at its own rate.

Feeding it never waits and works from any thread; one thread of its own draws. While no browser is connected, nothing
is decoded or drawn.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import viser

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.viewer.browser_cameras import BrowserCameras
from sem_field_ros.viewer.camera_drawing import CameraDrawing
from sem_field_ros.viewer.config import ViewerConfig
from sem_field_ros.viewer.inspection import Ask, InspectedPoint, PointInspector
from sem_field_ros.viewer.map_drawing import UP_AXIS_NOTE, MapDrawing
from sem_field_ros.viewer.mesh_chunks import Triangles
from sem_field_ros.viewer.panel import Panel
from sem_field_ros.viewer.picking import Ray
from sem_field_ros.viewer.points import LabelledPoints
from sem_field_ros.viewer.rate_limit import RateLimit
from sem_field_ros.viewer.rendered_view import AskView, RenderedViewPanel
from sem_field_ros.viewer.scene import Scene
from sem_field_ros.viewer.server import start_server, stop_server

_STATUS_HZ = 2.0
_MARKER = 0.006  # radius of the marker of a clicked point, as a share of its distance


class ViewerPage:
    """One page on one port. `close` ends it; it is a context manager too."""

    def __init__(
        self,
        config: ViewerConfig,
        labels: LabelSet | None = None,
        title: str = "sem_field",
        *,
        has_camera: bool = True,
        ask: Ask | None = None,
        ask_view: AskView | None = None,
        tell: Callable[[str], object] = lambda hint: None,
    ) -> None:
        """Start the page.

        has_camera  whether there is a live camera, with a pose and images
        ask         where the class probabilities of a clicked point come from; called on the page's thread, returns
                    at once and answers by the callback it is given
        ask_view    where views of a browser's camera come from, in the same way; None: the page has no such panel
        tell        takes a line for the user's terminal or log (a doubtful up axis)
        """
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()  # guards what is fed: counters, notes
        self._counters: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._frame = ""
        self._tell = tell
        self._tick_s = 1.0 / config.camera_rate_hz
        self._status_rate = RateLimit(_STATUS_HZ)

        self._server = start_server(config.host, config.port, title)
        self._panel = Panel(self._server, config, self._panel_changed, has_camera)
        self._scene = Scene(self._server)
        self._map = MapDrawing(self._scene, BrowserCameras(self._server, config.up_axis), self._panel, config, labels)
        self._camera = CameraDrawing(self._scene, self._panel, config)
        self._inspector = PointInspector(self._pick, ask, self._wake.set)
        self._panel.set_point(self._inspector.content())
        self._view = None
        if ask_view is not None:
            self._view = RenderedViewPanel(
                self._server, config.view_width, ask_view, lambda: self._map.legend, self._wake.set
            )
        self._server.scene.on_click()(self._clicked)
        self._server.on_client_connect(lambda _: self._wake.set())
        self._thread = threading.Thread(target=self._run, name="viewer", daemon=True)
        self._thread.start()

    # --- input

    @property
    def url(self) -> str:
        """The page's address on this machine, with the port that was free."""
        host = self._server.get_host()
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{self._server.get_port()}/"

    @property
    def browsers(self) -> int:
        """How many browsers are connected."""
        return len(self._server.get_clients())

    @property
    def wants_overlay(self) -> bool:
        """Whether the user wants the image with labels over it instead of the camera's."""
        return self._panel.shows_overlay

    def offer_cloud(self, make: Callable[[], LabelledPoints]) -> None:
        """A newer cloud; `make` decodes it when it is drawn, its SemFieldErrors become a notice."""
        self._map.cloud.offer(make)
        self._wake.set()

    def update_mesh(
        self, changed: Mapping[Hashable, Triangles], removed: Iterable[Hashable] = (), clear: bool = False
    ) -> None:
        """Mesh blocks that changed or vanished; `clear` forgets all others first."""
        self._map.update_mesh(changed, removed, clear)
        self._wake.set()

    def set_names(self, names: Mapping[int, str]) -> None:
        """Class names by id; names that differ from those before make a new legend."""
        self._map.set_names(names)
        self._wake.set()

    def set_pose(self, T_world_camera: np.ndarray, camera: Intrinsics | None) -> None:
        """The camera's current pose, and its intrinsics if they are known."""
        self._camera.set_pose(T_world_camera, camera)
        self._wake.set()

    def set_path(self, poses: Sequence[np.ndarray]) -> None:
        """The camera's path of a saved map, T_world_camera in order."""
        self._camera.set_path(poses)
        self._wake.set()

    def set_frame(self, frame: str) -> None:
        """The name of the frame that the map's coordinates are in; empty if it is not known."""
        self._frame = frame

    def offer_image(self, make: Callable[[], np.ndarray]) -> None:
        """A newer camera image, [h, w, 3] uint8, small; `make` decodes it when it is drawn."""
        self._camera.image.offer(make)
        self._wake.set()

    def set_counters(self, counters: Mapping[str, str]) -> None:
        """Further rows of the status table (latency, rate)."""
        with self._lock:
            self._counters = dict(counters)
        self._wake.set()

    def note(self, topic: str, text: str) -> None:
        """A line of notice under the status table; an empty text removes it."""
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
        self._map.display_changed()
        self._wake.set()

    def _clicked(self, event: viser.SceneClickEvent) -> None:
        self._inspector.click(Ray.through(event.ray_origin, event.ray_direction))

    def _pick(self, ray: Ray) -> InspectedPoint | None:
        point = self._map.pick(ray)
        if point is None:
            return None
        radius = max(0.6 * self._panel.point_size_m, _MARKER * float(np.linalg.norm(point.position - ray.origin)))
        self._scene.set_marker(point.position, radius)
        return replace(point, frame=self._frame)

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
        except Exception as error:  # noqa: BLE001 - no message may end the page
            traceback.print_exc()
            self._notes["drawing"] = f"drawing failed ({type(error).__name__}: {error}); see the viewer's output"
            return False

    def _draw(self) -> bool:
        """Draw what is due; True if something has to wait."""
        replaced = self._scene.clear_outgoing()
        was_empty = self._map.is_empty
        waits = self._map.draw(self._camera.poses(), self._draw_note)
        if self._map.is_empty and not was_empty:  # the map was reset
            self._camera.clear_path()
            self._inspector.clear()
            self._scene.set_marker(None)
        if self._inspector.update():
            self._panel.set_point(self._inspector.content())
        waits |= self._camera.draw(self._draw_note)
        if self._view is not None:
            waits |= self._view.draw()
        return self._draw_status() or waits or replaced

    def _draw_note(self, topic: str, text: str) -> None:
        with self._lock:
            is_news = text and self._notes.get(topic) != text
            self._notes[topic] = text
        if is_news and topic == UP_AXIS_NOTE:
            self._tell(text)

    def _draw_status(self) -> bool:
        if not self._status_rate.due():
            return True
        with self._status_rate, self._lock:
            rows = self._map.rows() | self._counters
            note = "; ".join(text for text in self._notes.values() if text)
        self._panel.set_status(rows, note)
        return False
