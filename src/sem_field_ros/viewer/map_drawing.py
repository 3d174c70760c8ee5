"""Draws the map: cloud, mesh, legend and the view of them all. One thread draws, any thread feeds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import numpy as np

from sem_field_ros.errors import SemFieldError
from sem_field_ros.geometry.viewpoints import apparent_up_axis, point_spacing
from sem_field_ros.labels import UNLABELLED_ID, LabelSet
from sem_field_ros.viewer.browser_cameras import BrowserCameras
from sem_field_ros.viewer.config import ViewerConfig
from sem_field_ros.viewer.inspection import InspectedPoint
from sem_field_ros.viewer.legend import Color, Legend, colors_by_label, make_legend
from sem_field_ros.viewer.mesh_chunks import Chunk, ChunkMesh, MeshChunks, PointLookup, Triangles, build_chunk
from sem_field_ros.viewer.panel import Panel
from sem_field_ros.viewer.picking import Hit, Ray, nearest, pick_mesh, pick_point
from sem_field_ros.viewer.points import DisplaySettings, LabelledPoints, colors, thin, visible
from sem_field_ros.viewer.rate_limit import Newest, RateLimit
from sem_field_ros.viewer.scene import Scene

UP_AXIS_NOTE = "up axis"  # topic of the notice about a doubtful up axis
Note = Callable[[str, str], None]
_SAMPLE = 20_000  # points that decide about colours, spacing and views
_NEAR_M = 0.06  # a clicked vertex farther than this from every cloud point has no label


class MapDrawing:
    """The newest cloud and mesh, drawn in the scene."""

    def __init__(
        self, scene: Scene, cameras: BrowserCameras, panel: Panel, config: ViewerConfig, labels: LabelSet | None
    ) -> None:
        self._scene, self._cameras, self._panel, self._config = scene, cameras, panel, config
        self._lock = threading.Lock()  # guards what is fed: mesh, names
        self._mesh = MeshChunks()
        self._names: dict[int, str] = {c.id: c.name for c in labels.classes} if labels else {}
        self._given_colors: dict[int, Color] = {c.id: c.color for c in labels.classes} if labels else {}
        self._names_new = False
        self.cloud: Newest[LabelledPoints] = Newest()

        self._points = self._drawn_points = LabelledPoints.empty()
        self._seen_colors: dict[int, Color] = {}
        self._legend: Legend = make_legend(self._names, self._given_colors)
        self._cloud_rate, self._mesh_rate = RateLimit(config.refresh_rate_hz), RateLimit(config.refresh_rate_hz)
        self._display_new = self._points_shown = True
        self._had_cameras = False  # when browsers were last aimed
        self._waiting_chunks: set[Chunk] = set()
        self._drawn: dict[Chunk, int] = {}  # triangles, shown and hidden ones
        self._drawn_meshes: dict[Chunk, ChunkMesh] = {}
        self._shown_points = 0

    # --- input

    def update_mesh(self, changed: Mapping[Hashable, Triangles], removed: Iterable[Hashable], clear: bool) -> None:
        """Mesh blocks that changed or vanished; `clear` forgets all others first."""
        with self._lock:
            if clear:
                self._mesh.clear()
            self._mesh.update(changed, removed)

    def set_names(self, names: Mapping[int, str]) -> None:
        """Class names by id; names that differ from those before make a new legend."""
        with self._lock:
            if dict(names) != self._names:
                self._names, self._names_new = dict(names), True

    def display_changed(self) -> None:
        """The panel changed: redraw everything, now."""
        self._display_new = True
        self._cloud_rate.reset()
        self._mesh_rate.reset()

    # --- drawing

    def draw(self, cameras: Sequence[np.ndarray], note: Note) -> bool:
        """Draw what is due; True if something has to wait. The up direction comes from `cameras`, T_world_camera."""
        display, all_anew = self._panel.display_settings(), self._display_new
        if all_anew:
            self._display_new = False
            self._scene.set_point_size(self._panel.point_size_m)
        names_new = self._take_names()
        with self._lock:
            shows_points = self._panel.shows_points(has_mesh=self._mesh.triangles > 0)
        switched, self._points_shown = shows_points != self._points_shown, shows_points
        if all_anew or names_new or switched or (self.cloud and self._cloud_rate.due()):
            with self._cloud_rate:
                cloud_new = self._take_cloud(note)
                if cloud_new or names_new:
                    self._update_legend()
                self._draw_points(display, note)
                if cloud_new:
                    self._aim(cameras, note)
        elif cameras and not self._had_cameras and not self.is_empty:
            self._aim(cameras, note)
        mesh_waits = self._draw_mesh(display, all_anew or names_new, note)
        return mesh_waits or bool(self.cloud)

    def rows(self) -> dict[str, str]:
        """Counters for the status table."""
        total = len(self._points)
        points = f"{total:,}" if self._shown_points == total else f"{self._shown_points:,} of {total:,}"
        return {"Points": points, "Triangles": f"{self._mesh.triangles:,}"}

    @property
    def legend(self) -> Legend:
        """Names and colours of the classes."""
        return self._legend

    @property
    def is_empty(self) -> bool:
        """Whether the newest cloud has no points (before the first, and after a reset)."""
        return not len(self._points)

    def pick(self, ray: Ray) -> InspectedPoint | None:
        """The drawn point under a click with its label and confidence; None if nothing is drawn there."""
        hit = nearest(
            pick_point(ray, self._drawn_points.points, self._panel.point_size_m / 2),
            pick_mesh(ray, self._drawn_meshes.values()),
        )
        return None if hit is None else self._describe(hit)

    def _describe(self, hit: Hit) -> InspectedPoint:
        cloud, confidence = self._points, None
        label_id = UNLABELLED_ID
        if len(cloud):
            at = int(((cloud.points - hit.position.astype(np.float32)) ** 2).sum(axis=1).argmin())
            if np.linalg.norm(cloud.points[at] - hit.position) < _NEAR_M:
                label_id = int(cloud.label_ids[at])
                if cloud.has_confidence and label_id != UNLABELLED_ID:
                    confidence = float(cloud.confidence[at])
        entry = self._legend.entry(label_id)
        return InspectedPoint(hit.position, label_id, entry.name, entry.color, confidence)

    def _take_names(self) -> bool:
        with self._lock:
            new, self._names_new = self._names_new, False
        if new:
            self._seen_colors = {}
        return new

    def _take_cloud(self, note: Note) -> bool:
        make = self.cloud.take()
        if make is None:
            return False
        try:
            self._points = make()
        except SemFieldError as error:
            note("cloud", f"cloud: {error}")
            return False
        note("cloud", "")
        if self.is_empty:
            self._cameras.forget()
        return True

    def _update_legend(self) -> None:
        sample = thin(len(self._points), _SAMPLE)
        ids, counts = np.unique(self._points.label_ids, return_counts=True)
        self._seen_colors |= colors_by_label(self._points.label_ids[sample], self._points.rgb[sample])
        with self._lock:
            names = dict(self._names)
        legend = make_legend(names, self._seen_colors | self._given_colors).with_ids(ids.tolist(), self._seen_colors)
        self._legend = legend
        self._panel.set_legend(legend, dict(zip(ids.tolist(), counts.tolist(), strict=True)))

    def _draw_points(self, display: DisplaySettings, note: Note) -> None:
        kept = np.flatnonzero(visible(self._points, display))
        self._shown_points = len(kept)
        drawn = kept[thin(len(kept), self._config.max_points)]
        if not self._points_shown:
            drawn = drawn[:0]
        self._drawn_points = shown = self._points.take(drawn)
        self._panel.suggest_point_size(self._suggested_size)
        self._scene.set_points(shown.points, colors(shown, display, self._legend), self._panel.point_size_m)
        full = self._points_shown and len(kept) > len(drawn)
        note("points", f"showing {len(drawn):,} of {len(kept):,} points (max_points)" if full else "")

    def _suggested_size(self) -> float | None:
        sample = self._points.points[thin(len(self._points), _SAMPLE)]
        return 1.3 * point_spacing(self._points.points) if len(sample) >= 100 else None

    def _aim(self, cameras: Sequence[np.ndarray], note: Note) -> None:
        self._had_cameras = bool(cameras)
        points = self._points.points[thin(len(self._points), _SAMPLE)]
        normals, areas = np.zeros_like(points), np.zeros(len(points))
        with self._lock:
            if self._mesh.triangles >= 1000:
                points, normals, areas = self._mesh.sample(_SAMPLE)
        self._cameras.follow(points, normals, cameras)
        axis = apparent_up_axis(normals, areas, self._cameras.up, cameras)
        note(UP_AXIS_NOTE, f"the map looks {axis}-up: try --up-axis {axis}" if axis else "")

    def _draw_mesh(self, display: DisplaySettings, all_anew: bool, note: Note) -> bool:
        with self._lock:
            self._waiting_chunks |= self._mesh.take_dirty()
            if all_anew:
                self._waiting_chunks |= set(self._mesh.chunks()) | set(self._drawn)
        if not self._panel.shows_mesh:
            for chunk in self._scene.shown_chunks():
                self._scene.set_mesh(chunk, None)
            self._drawn.clear()
            self._drawn_meshes.clear()
            note("mesh", "")
            return False
        if not self._waiting_chunks or not self._mesh_rate.due():
            return bool(self._waiting_chunks)
        with self._mesh_rate:
            lookup = PointLookup(self._points)
            for chunk in sorted(self._waiting_chunks):
                self._draw_chunk(chunk, lookup, display)
            self._waiting_chunks.clear()
        full = sum(self._drawn.values()) >= self._config.max_triangles
        note("mesh", f"showing {self._config.max_triangles:,} triangles of the mesh (max_triangles)" if full else "")
        return False

    def _draw_chunk(self, chunk: Chunk, lookup: PointLookup, display: DisplaySettings) -> None:
        self._drawn.pop(chunk, None)
        self._drawn_meshes.pop(chunk, None)
        room = self._config.max_triangles - sum(self._drawn.values())
        with self._lock:
            triangles = self._mesh.triangles_of(chunk, room)
        if len(triangles):
            self._drawn[chunk] = len(triangles)
        mesh = build_chunk(triangles, lookup, self._legend, display) if len(triangles) else None
        if mesh is not None:
            self._drawn_meshes[chunk] = mesh
        self._scene.set_mesh(chunk, mesh)
