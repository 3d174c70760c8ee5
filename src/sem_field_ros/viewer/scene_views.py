"""Views of a scene in this process, a saved map or a field, for the page's panel `View from here`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sem_field_ros.errors import SemFieldError
from sem_field_ros.fields.common.deadline import RenderCost, render_in_time
from sem_field_ros.fields.common.window import nearest_pixels, resized
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.scene import Renderable
from sem_field_ros.surface import RenderedView
from sem_field_ros.viewer.rendered_view import ShownView, ViewAnswer

DEADLINE_S = 1.0


class SceneViews:
    """Renders on a thread of its own, in time for a deadline: coarser if it must."""

    def __init__(self, scene: Renderable, labels: LabelSet, deadline_s: float = DEADLINE_S) -> None:
        self._scene, self._labels, self._deadline_s = scene, labels, deadline_s
        self._cost = RenderCost()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None  # none before the first view

    def ask(self, camera: Intrinsics, T_world_camera: np.ndarray, reply: Callable[[ViewAnswer], None]) -> None:
        """Render a view; `reply` is called once, on another thread. See rendered_view.AskView."""
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="views")
            self._pool.submit(lambda: reply(self._answer(camera, T_world_camera)))

    def _answer(self, camera: Intrinsics, T_world_camera: np.ndarray) -> ViewAnswer:
        start_s = time.monotonic()
        offered: list[RenderedView] = []
        try:
            render_in_time(
                lambda small: self._scene.render(small, T_world_camera),
                camera,
                lambda: start_s + self._deadline_s - time.monotonic(),
                self._cost,
                lambda view, coarseness: offered.append(view),
            )
        except SemFieldError as error:
            return f"no view: {error}"
        except Exception as error:  # noqa: BLE001 (a panel that waits for ever would be worse)
            return f"no view: {type(error).__name__}: {error}"
        view = offered[-1]
        if view.rgb is None or view.labels is None or not view.covered.any():
            return "no view: nothing is known of what is in this view"
        size = camera.height, camera.width
        names = {c.id: c.name for c in self._labels.classes}
        height, width = view.covered.shape
        known = f"{100 * view.covered.mean():.0f} % of it known"
        text = f"rendered {width}x{height} ({time.monotonic() - start_s:.2f} s); {known}"
        return ShownView(resized(view.rgb, size), nearest_pixels(self._labels.to_id(view.labels), size), names, text)
