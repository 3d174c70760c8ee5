"""The view from the browser's own camera: asked for when it rests (or by a button), shown beside the map.

The view comes from outside (the view renderer's service) by a function that takes a camera and a callback and must not
wait. All browsers share the panel: it shows the view of the one that moved last.
"""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import viser

from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import pose_from_quaternion
from sem_field_ros.viewer.legend import Legend, make_legend

_REST_S = 0.25  # a camera that has not moved for this long rests
_OPACITY = 0.6  # of labels over the view
_HINT = "switch on Follow, or press Render"


@dataclass(frozen=True)
class ShownView:
    """A rendered view: rgb [h, w, 3] uint8; ids [h, w] of its labels and the names of ids; one line about it."""

    rgb: np.ndarray
    label_ids: np.ndarray
    names: Mapping[int, str]
    text: str


ViewAnswer = ShownView | str  # a text says why there is none
AskView = Callable[[Intrinsics, np.ndarray, Callable[[ViewAnswer], None]], None]  # camera, T_world_camera, reply


class RenderedViewPanel:
    """The folder `View from here`. Moves, clicks and answers come on any thread; `draw` runs on the page's own."""

    def __init__(
        self,
        server: viser.ViserServer,
        width: int,
        ask: AskView,
        legend: Callable[[], Legend],
        wake: Callable[[], None],
    ) -> None:
        """`width` of views in pixels; `legend` gives the map's colours, `wake` makes the page draw soon."""
        self._width, self._ask, self._legend, self._wake = width, ask, legend, wake
        self._lock = threading.Lock()  # guards what follows
        self._moved: tuple[float, Intrinsics, np.ndarray] | None = None  # when, camera, pose: not yet asked for
        self._waiting = False  # for an answer
        self._answer: ViewAnswer | None = None
        self._new = False  # the answer, or how it is to be shown
        with server.gui.add_folder("View from here"):
            self._follow = server.gui.add_checkbox("Follow", False, hint="Renders the view when you stop moving")
            self._labels = server.gui.add_checkbox("View labels", False, hint="Labels over the rendered view")
            self._button = server.gui.add_button("Render")
            self._image = server.gui.add_image(np.zeros((2, 2, 3), np.uint8), format="jpeg", visible=False)
            self._text = server.gui.add_html(_line(_HINT))
        self._button.on_click(lambda event: self._wants(event.client, rests=True))
        self._follow.on_update(lambda event: self._wants(event.client, rests=True) if self._follow.value else None)
        self._labels.on_update(lambda _: self._changed())
        server.on_client_connect(self._connected)

    def draw(self) -> bool:
        """Ask for the view of a camera that rests, show the newest answer; True if something has to wait."""
        with self._lock:
            moved, resting = self._moved, self._moved is not None and time.monotonic() - self._moved[0] >= _REST_S
            if moved is not None and resting and not self._waiting:
                self._moved, self._waiting = None, True
            else:
                resting = False
            answer, new = self._answer, self._new
            self._new = False
        if resting and moved is not None:
            self._ask(moved[1], moved[2], self._answered)
        if new and answer is not None:
            self._show(answer)
        with self._lock:
            return self._moved is not None and not self._waiting

    def _show(self, answer: ViewAnswer) -> None:
        if isinstance(answer, str):
            self._text.content = _line(answer)
            return
        self._text.content = _line(answer.text)
        self._image.image = with_labels(answer, self._legend()) if self._labels.value else answer.rgb
        self._image.visible = True

    # --- on any thread

    def _connected(self, client: viser.ClientHandle) -> None:
        client.camera.on_update(lambda _: self._wants(client) if self._follow.value else None)

    def _wants(self, client: viser.ClientHandle | None, rests: bool = False) -> None:
        """A browser's camera moved, or its user asks for the view now (`rests`)."""
        try:
            found = None if client is None else camera_of(client.camera, self._width)
        except (FrameError, AssertionError):  # a camera that was never told, or a degenerate one
            return
        if found is None:
            return
        with self._lock:
            self._moved = time.monotonic() - (_REST_S if rests else 0), *found
        self._wake()

    def _answered(self, answer: ViewAnswer) -> None:
        with self._lock:
            self._answer, self._new, self._waiting = answer, True, False
        self._wake()

    def _changed(self) -> None:
        with self._lock:
            self._new = True
        self._wake()


def camera_of(camera: viser.CameraHandle, width: int) -> tuple[Intrinsics, np.ndarray]:
    """Intrinsics and T_world_camera of a browser's camera, for a view of `width` pixels and the page's aspect.

    Raises FrameError if they are degenerate.
    """
    height = int(np.clip(round(width / max(camera.aspect, 1e-3)), 8, 4 * width))
    focal = height / 2 / float(np.tan(np.clip(camera.fov, 0.01, 3.1) / 2))
    w, x, y, z = camera.wxyz
    T = pose_from_quaternion(np.asarray(camera.position), np.array([x, y, z, w]), "the browser's camera")
    return Intrinsics(focal, focal, width / 2 - 0.5, height / 2 - 0.5, width, height), T


def with_labels(view: ShownView, legend: Legend) -> np.ndarray:
    """The view with its labels over it, [h, w, 3] uint8; classes that the map has too have the map's colours."""
    known = {c.id: c.color for c in legend.classes if view.names.get(c.id) == c.name}
    own = make_legend(view.names, known)
    labelled = np.isin(view.label_ids, list(view.names))
    over = own.colors_of(view.label_ids.reshape(-1)).reshape(view.rgb.shape)
    mixed = view.rgb * (1 - _OPACITY) + over * _OPACITY
    return np.where(labelled[..., None], mixed + 0.5, view.rgb).astype(np.uint8)


def _line(text: str) -> str:
    style = "font-size:0.875em;color:#868e96;padding:0 0.8em 0.4em"
    return f'<div id="rendered-view" style="{style}">{html.escape(text)}</div>'
