"""The clicked point: its label and confidence at once, its class probabilities as soon as they arrive.

Clicks and answers come on any thread; `update` runs on the page's own. Probabilities come from outside (the mapper's
service, a loaded map) by a function that takes the position and a callback and must not wait.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sem_field_ros.viewer.legend import Color
from sem_field_ros.viewer.picking import Ray

HINT = "click the map to see what a point is"
WAITING = "waiting for the probabilities"
_TOP, _LEAST = 5, 0.005


@dataclass(frozen=True)
class PointProbabilities:
    """Class probabilities at one point: `names` of the C classes, `values` [C]; all zeros if it is unlabelled."""

    names: tuple[str, ...]
    values: np.ndarray

    def top(self, count: int = _TOP) -> list[tuple[str, float]]:
        """The most probable classes, highest first, without those that would read 0.00."""
        order = np.argsort(-self.values, kind="stable")[:count]
        return [(self.names[i], float(self.values[i])) for i in order if self.values[i] >= _LEAST]


Answer = PointProbabilities | str  # a text says why there are none
Ask = Callable[[np.ndarray, Callable[[Answer], None]], None]


@dataclass(frozen=True)
class InspectedPoint:
    """A clicked point: position [3] metres, its class, and its probabilities once they have arrived.

    confidence  None if there is none: unlabelled points, files without that column
    frame       the frame of the position, empty if it is not known
    answer      None until it arrives
    """

    position: np.ndarray
    label_id: int
    name: str
    color: Color
    confidence: float | None = None
    frame: str = ""
    answer: Answer | None = None


class PointInspector:
    """Turns clicks into the text of the panel. `pick` finds the point of a ray, on the drawing thread."""

    def __init__(self, pick: Callable[[Ray], InspectedPoint | None], ask: Ask | None, wake: Callable[[], None]) -> None:
        self._pick, self._ask, self._wake = pick, ask, wake
        self._lock = threading.Lock()  # guards click, number, point, changed
        self._click: Ray | None = None
        self._number = 0  # of the inspected point: answers to earlier questions are ignored
        self._changed = False
        self.point: InspectedPoint | None = None

    def click(self, ray: Ray) -> None:
        """Take in a click; it replaces one that was not handled yet."""
        with self._lock:
            self._click = ray
        self._wake()

    def clear(self) -> None:
        """Inspect nothing: the map was reset."""
        with self._lock:
            self._number += 1
            self._changed |= self.point is not None
            self.point = None

    def update(self) -> bool:
        """Handle the newest click; True where `point` has changed since the last call."""
        with self._lock:
            ray, self._click = self._click, None
        found = self._pick(ray) if ray is not None else None
        if found is not None:
            self._inspect(found)
        with self._lock:
            changed, self._changed = self._changed, False
        return changed

    def _inspect(self, found: InspectedPoint) -> None:
        with self._lock:
            self._number += 1
            number = self._number
            self.point, self._changed = found, True
        if self._ask is not None:
            self._ask(found.position, lambda answer: self._answered(number, answer))

    def _answered(self, number: int, answer: Answer) -> None:
        with self._lock:
            if number != self._number or self.point is None:
                return
            self.point, self._changed = replace(self.point, answer=answer), True
        self._wake()

    def content(self) -> str:
        """The panel's HTML for `point`. Names come from messages and files, so all text is escaped."""
        with self._lock:
            point = self.point
        if point is None:
            return _line(HINT, faint=True)
        return _point_html(point, waits=self._ask is not None and point.answer is None)


def _point_html(point: InspectedPoint, waits: bool) -> str:
    swatch = "#{:02x}{:02x}{:02x}".format(*point.color)
    confidence = "" if point.confidence is None else f" · confidence {point.confidence:.2f}"
    parts = [
        f'<div style="margin-bottom:4px"><span style="display:inline-block;width:0.8em;height:0.8em;'
        f'margin-right:0.5em;background:{swatch}"></span><b>{html.escape(point.name)}</b></div>',
        _line(f"id {point.label_id}{confidence}"),
    ]
    if waits:
        parts.append(_line(WAITING, faint=True))
    elif isinstance(point.answer, str):
        parts.append(_line(point.answer, faint=True))
    elif point.answer is not None:
        parts.append(_probability_table(point.answer.top()) or _line("no probabilities: unlabelled", faint=True))
    x, y, z = (f"{value:.3f}" for value in point.position)
    frame = f", frame {point.frame}" if point.frame else ""
    parts.append(_line(f"x {x}  y {y}  z {z} m{frame}", faint=True))
    return "".join(parts)


def _probability_table(rows: list[tuple[str, float]]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f'<tr><td style="padding:1px 12px 1px 0">{html.escape(name)}</td>'
        f'<td style="font-variant-numeric:tabular-nums;text-align:right">{value:.2f}</td></tr>'
        for name, value in rows
    )
    return f'<table style="width:100%;border-collapse:collapse;margin:2px 0">{cells}</table>'


def _line(text: str, faint: bool = False) -> str:
    style = ' style="color:#868e96"' if faint else ""
    return f"<div{style}>{html.escape(text)}</div>"
