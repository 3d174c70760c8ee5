"""The panel beside the scene: counters, display settings, clicked point, legend with switches, camera image.

All browsers share the panel: a change in one appears in all.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping

import numpy as np
import viser

from sem_field_ros.viewer.config import COLOR_MODES, SHOWN, ViewerConfig
from sem_field_ros.viewer.legend import Legend, LegendClass
from sem_field_ros.viewer.points import DisplaySettings

_POINT_SIZE_MAX_MM = 100.0


# The box of a class has its colour and stands before its name. Viser gives the box the id of the handle; in browsers
# without :has() the rows keep viser's own layout.
_ROW_STYLE = (
    '[id="{id}"]{{border:2px solid {color}!important;cursor:pointer}}'
    '[id="{id}"]:checked{{background-color:{color}!important}}'
    'div:has(>div>div>div>div>[id="{id}"]){{flex-direction:row-reverse;margin-bottom:-0.25em}}'
    'div:has(>p>label[for="{id}"]){{width:auto!important;flex-grow:1}}'
    'div:has(>div>div>div>[id="{id}"]){{flex-grow:0!important;margin-right:0.6em}}'
)

# two lines at most; the tooltip shows the rest
_NOTICE = (
    '<div id="notice" title="{0}" style="color:#e8590c;margin-top:4px;overflow:hidden;display:-webkit-box;'
    '-webkit-line-clamp:2;-webkit-box-orient:vertical">{0}</div>'
)


class Panel:
    """The controls. `on_change` runs (on a viser thread) after a change that affects the drawing."""

    def __init__(
        self, server: viser.ViserServer, config: ViewerConfig, on_change: Callable[[], None], has_camera: bool
    ) -> None:
        self._gui = server.gui
        self._on_change = on_change
        self._rows: dict[int, viser.GuiCheckboxHandle] = {}
        self._row_classes: dict[int, LegendClass] = {}
        self._point_size_set = config.point_size_m > 0
        self._style_text = ""
        self._status = self._gui.add_html("")
        self._add_view(config)
        self._add_point()
        self._add_legend()
        self._add_camera(config, has_camera)

    # --- the user's choices

    def display_settings(self) -> DisplaySettings:
        """How points and mesh are coloured, and what is hidden."""
        hidden = frozenset(i for i, row in self._rows.items() if not row.value)
        return DisplaySettings(self._color_by.value, float(self._min_confidence.value), hidden)

    def shows_points(self, has_mesh: bool) -> bool:
        """Whether points are shown: also in place of a mesh that does not exist yet."""
        return self._show.value in ("points", "both") or not has_mesh

    @property
    def shows_mesh(self) -> bool:
        """Whether the mesh is shown."""
        return self._show.value in ("mesh", "both")

    @property
    def shows_camera(self) -> bool:
        """Whether the camera and its path are shown."""
        return bool(self._camera.value)

    @property
    def shows_overlay(self) -> bool:
        """Whether the labels lie over the camera image."""
        return bool(self._overlay.value)

    @property
    def point_size_m(self) -> float:
        """Size of a point, metres."""
        return float(self._point_size.value) / 1000

    # --- content

    def suggest_point_size(self, suggest: Callable[[], float | None]) -> None:
        """Set the point size, metres, unless the user or the configuration did; None makes no suggestion."""
        size_m = None if self._point_size_set else suggest()
        if size_m is not None:
            self._point_size_set = True
            self._point_size.value = float(np.clip(round(size_m * 1000), 1, _POINT_SIZE_MAX_MM))  # type: ignore[misc]

    def set_status(self, rows: Mapping[str, str], note: str = "") -> None:
        """Show counters, name and value, and one line of notice below them."""
        cells = "".join(
            f'<tr><td style="color:#868e96;padding:1px 12px 1px 0">{html.escape(name)}</td>'
            f'<td style="font-variant-numeric:tabular-nums;text-align:right">{html.escape(value)}</td></tr>'
            for name, value in rows.items()
        )
        notice = _NOTICE.format(html.escape(note)) if note else ""
        content = (
            '<div id="status" style="font-size:0.875em;padding:0.4em 0.8em 0.6em">'
            f'<table style="width:100%;border-collapse:collapse">{cells}</table>{notice}</div>'
        )
        if content != self._status.content:
            self._status.content = content

    def set_legend(self, legend: Legend, counts: Mapping[int, int]) -> None:
        """Show a row for each class with points (and for those switched off), `chair 1,234`; rows keep their switch."""
        wanted = {c.id: c for c in legend.classes if counts.get(c.id) or self._is_off(c)}
        for id_ in [i for i, c in self._row_classes.items() if wanted.get(i) != c]:
            self._rows.pop(id_).remove()
            del self._row_classes[id_]
        for order, entry in enumerate(legend.classes):
            if entry.id in wanted:
                self._set_row(entry, order, counts.get(entry.id, 0))
        self._legend_hint.visible = not self._rows
        self._switches.visible = bool(self._rows)
        style = "".join(self._row_style(self._rows[i], c) for i, c in sorted(self._row_classes.items()))
        if style != self._style_text:
            self._style_text = style
            self._style.content = f"<style>{style}</style>"

    def set_point(self, content: str) -> None:
        """Show the description of the clicked point, HTML."""
        self._point.content = f'<div id="point" style="font-size:0.875em;padding:0 0.8em 0.4em">{content}</div>'

    def offer_path(self) -> None:
        """Show the switch of the camera's path on a page without a live camera."""
        self._camera_folder.visible = True

    def set_image(self, image: np.ndarray | None) -> None:
        """Show the camera's image [h, w, 3] uint8; None removes it."""
        if image is None:
            self._image.visible = False
            return
        self._image.image = image
        self._image.visible = True

    # --- building

    def _add_view(self, config: ViewerConfig) -> None:
        gui = self._gui
        with gui.add_folder("View"):
            self._show = gui.add_dropdown("Show", SHOWN, initial_value=config.show)
            self._color_by = gui.add_dropdown("Colour by", COLOR_MODES, initial_value=config.color_by)
            self._min_confidence = gui.add_slider(
                "Confidence ≥", 0.0, 1.0, 0.01, config.min_confidence, hint="Hides labelled points of lower confidence"
            )
            size = config.point_size_m or 0.02
            self._point_size = gui.add_slider(
                "Point mm", 1.0, _POINT_SIZE_MAX_MM, 1.0, float(np.clip(size * 1000, 1, _POINT_SIZE_MAX_MM))
            )
        for control in (self._show, self._color_by, self._min_confidence):
            control.on_update(lambda _: self._on_change())
        self._point_size.on_update(self._point_size_moved)

    def _add_point(self) -> None:
        with self._gui.add_folder("Point"):
            self._point = self._gui.add_html("")

    def _add_legend(self) -> None:
        gui = self._gui
        with gui.add_folder("Classes") as self._classes:
            self._style = gui.add_html("")
            self._legend_hint = gui.add_html(
                '<div style="font-size:0.875em;color:#868e96;padding:0 0.8em 0.4em">no labelled points yet</div>'
            )
            self._switches = gui.add_button_group("", ("all", "none", "invert"), visible=False)
        self._switches.on_click(self._switch_rows)

    def _add_camera(self, config: ViewerConfig, has_camera: bool) -> None:
        gui = self._gui
        with gui.add_folder("Camera", visible=has_camera) as self._camera_folder:
            self._camera = gui.add_checkbox("Path", True, hint="Shows the camera and its path")
            has_image = has_camera and config.image_rate_hz > 0
            self._overlay = gui.add_checkbox("Labels", False, hint="Labels over the camera image", visible=has_image)
            self._image = gui.add_image(np.zeros((2, 2, 3), np.uint8), format="jpeg", jpeg_quality=75, visible=False)
        for control in (self._camera, self._overlay):
            control.on_update(lambda _: self._on_change())

    def _point_size_moved(self, event: viser.GuiEvent) -> None:
        if event.client is not None:
            self._point_size_set = True
        self._on_change()

    def _switch_rows(self, event: viser.GuiEvent) -> None:
        choice = self._switches.value
        for row in list(self._rows.values()):
            row.value = choice == "all" or (choice == "invert" and not row.value)  # type: ignore[misc]
        self._on_change()

    def _is_off(self, entry: LegendClass) -> bool:
        row = self._rows.get(entry.id)
        return row is not None and not row.value

    def _set_row(self, entry: LegendClass, order: int, count: int) -> None:
        label = f"{entry.name} {count:,}"
        row = self._rows.get(entry.id)
        if row is None:
            with self._classes:
                row = self._gui.add_checkbox(label, True, order=10_000.0 + order)
            row.on_update(lambda _: self._on_change())
            self._rows[entry.id] = row
            self._row_classes[entry.id] = entry
        elif row.label != label:
            row.label = label

    @staticmethod
    def _row_style(row: viser.GuiCheckboxHandle, entry: LegendClass) -> str:
        return _ROW_STYLE.format(id=row._impl.uuid, color="#{:02x}{:02x}{:02x}".format(*entry.color))
