"""preview.png: a map seen from two sides, coloured by label (above) and by RGB (below), with a legend.

Surfaces seen from behind are left out, so the room can be seen through walls and ceilings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.datasets.image_files import write_color
from sem_field_ros.geometry.camera import Intrinsics, project
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.geometry.raster import headlight, rasterize
from sem_field_ros.geometry.viewpoints import estimate_up, front_facing, point_spacing, two_views
from sem_field_ros.labels import LabelSet
from sem_field_ros.surface import Surface

_SCALE = 2  # everything is drawn this much larger and then shrunk, for smooth edges and text
_PANEL = (800, 580)  # width, height of one view
_LEGEND_WIDTH = 300
_TITLE_HEIGHT = 64
_GAP = 12
_MAX_ROWS = 24  # classes named in the legend
_BACKGROUND = (255, 255, 255)
_PANEL_COLOR = (243, 244, 246)
_INK = (40, 44, 52)
_FAINT_INK = (120, 126, 136)
_UNLABELLED = (226, 222, 212)  # lighter than on the topics: most of a map may be unlabelled
_PATH = (230, 40, 140)


def write_preview(
    path: Path,
    surface: Surface,
    labels: LabelSet,
    T_world_cameras: Sequence[np.ndarray] | None = None,
    title: str = "Semantic map",
) -> Path:
    """Write the picture of a map as a PNG (atomically) and return its path.

    T_world_cameras  4x4 poses along the camera's path: drawn, and used to find the up direction.
    For an empty surface, the picture is a note. Raises OutputError if the file cannot be written.
    """
    image = draw_preview(surface, labels, T_world_cameras, title)
    write_color(path, image)
    return Path(path)


def draw_preview(
    surface: Surface, labels: LabelSet, T_world_cameras: Sequence[np.ndarray] | None, title: str
) -> np.ndarray:
    """Draw the picture: [H, W, 3] uint8 RGB."""
    width, height = _PANEL
    size = (2 * width + _LEGEND_WIDTH + 4 * _GAP, _TITLE_HEIGHT + 2 * height + 2 * _GAP)
    canvas = np.full((size[1] * _SCALE, size[0] * _SCALE, 3), _BACKGROUND, dtype=np.uint8)
    _text(canvas, title, (_GAP + 4, 42), 0.95, _INK, bold=True)
    poses = [np.asarray(T, dtype=np.float64) for T in (T_world_cameras if T_world_cameras is not None else [])]
    for column, (by_label, by_rgb) in enumerate(_views(surface, labels, poses)):
        x = _GAP + column * (width + _GAP)
        _paste(canvas, by_label, (x, _TITLE_HEIGHT))
        _paste(canvas, by_rgb, (x, _TITLE_HEIGHT + height + _GAP))
    _legend(canvas, surface, labels, 2 * width + 3 * _GAP + 4, bool(poses))
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)


def label_shares(surface: Surface, labels: LabelSet) -> list[tuple[str, tuple[int, int, int], float]]:
    """(name, colour, share of the cloud's points) of the classes present, most frequent first, unlabelled last."""
    index = surface.labels[surface.owned]
    counts = np.bincount(index + 1, minlength=len(labels) + 1)
    order = sorted(range(len(labels)), key=lambda i: -counts[i + 1])
    total = max(1, len(index))
    shares = [(labels.classes[i].name, labels.classes[i].color, counts[i + 1] / total) for i in order if counts[i + 1]]
    return [*shares, ("unlabelled", _UNLABELLED, counts[0] / total)] if counts[0] else shares


def _views(surface: Surface, labels: LabelSet, poses: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per view the panel by label and the panel by RGB."""
    width, height = _PANEL[0] * _SCALE, _PANEL[1] * _SCALE
    focal = 1.7 * width
    camera = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)
    if len(surface) == 0:
        empty = np.full((height, width, 3), _PANEL_COLOR, dtype=np.uint8)
        _text(empty, "the map is empty", (_PANEL[0] // 2 - 90, _PANEL[1] // 2), 0.7, _FAINT_INK)
        return [(empty, empty)] * 2
    up = estimate_up(surface.normals, poses)
    colors = np.where((surface.labels < 0)[:, None], np.array(_UNLABELLED, np.uint8), labels.to_color(surface.labels))
    result = []
    for T in two_views(surface.vertices, surface.normals, up, camera):
        panels = _render(surface, colors, camera, T)
        depth = panels.pop()
        for panel in panels:
            _draw_path(panel, depth, poses, camera, T)
        result.append((panels[0], panels[1]))
    return result


def _render(surface: Surface, label_colors: np.ndarray, camera: Intrinsics, T: np.ndarray) -> list[np.ndarray]:
    """[by label, by RGB, depth] of one view."""
    light = headlight(surface.normals, surface.vertices, T, ambient=0.5)
    light[~surface.normals.any(axis=1)] = 1.0
    attributes = {
        "label": label_colors * light[:, None],
        "rgb": surface.colors * (0.4 + 0.6 * light[:, None]),
    }
    if len(surface.faces):
        images = rasterize(surface.vertices, surface.faces, attributes, camera, T, cull_back=True)
    else:
        front = front_facing(surface.vertices, surface.normals, T)
        distance = float(np.median(np.linalg.norm(surface.vertices - T[:3, 3], axis=1)))
        size = int(np.clip(np.ceil(1.8 * point_spacing(surface.vertices) * camera.fx / distance), 2, 40))
        attributes = {name: values[front] for name, values in attributes.items()}
        images = rasterize(surface.vertices[front], None, attributes, camera, T, point_size=size)
    depth = images["depth"]
    shade = _depth_edges(depth)[..., None]
    panels = []
    for name in ("label", "rgb"):
        image = np.where((depth > 0)[..., None], images[name] * shade, np.array(_PANEL_COLOR))
        panels.append(np.ascontiguousarray(np.clip(image, 0, 255).astype(np.uint8)))
    return [*panels, depth]


def _depth_edges(depth: np.ndarray) -> np.ndarray:
    """Brightness [h, w] that darkens pixels lying behind their neighbours (eye-dome lighting): shapes stand out."""
    log_depth = np.log(np.where(depth > 0, depth, np.inf))
    log_depth[np.isinf(log_depth)] = np.log(max(float(depth.max()), 1e-6)) + 1  # empty is far: outlines only inside
    behind = np.zeros_like(log_depth)
    for step in (2, 4):
        for axis in (0, 1):
            for sign in (-step, step):
                behind += np.clip(log_depth - np.roll(log_depth, sign, axis), 0, 0.03)
    return np.exp(-4.0 * behind).astype(np.float32)


def _draw_path(
    panel: np.ndarray, depth: np.ndarray, poses: list[np.ndarray], camera: Intrinsics, T: np.ndarray
) -> None:
    """Draw the camera's path, strong where it is visible and faint behind surfaces, with a dot at its end."""
    if not poses:
        return
    centers = np.array([pose[:3, 3] for pose in poses])
    pixels, z = project(transform_points(inverse(T), centers), camera)
    points = np.round(np.clip(pixels, -1e4, 1e4)).astype(int)
    inside = (z > 0) & ((points >= 0) & (points < (camera.width, camera.height))).all(axis=1)
    surface_z = np.zeros(len(z))
    surface_z[inside] = depth[points[inside, 1], points[inside, 0]]
    hidden = (surface_z > 0) & (z > surface_z + 0.02)
    faint = panel.copy()
    for i in range(1, len(points)):
        if z[i - 1] > 0 and z[i] > 0:
            cv2.line(faint if hidden[i] else panel, points[i - 1], points[i], _PATH, 2 * _SCALE, cv2.LINE_AA)
    cv2.addWeighted(faint, 0.35, panel, 0.65, 0, dst=panel)
    for i, fill in ((0, _BACKGROUND), (len(points) - 1, _PATH)):
        if z[i] > 0:
            cv2.circle(panel, points[i], 6 * _SCALE, _PATH, -1, cv2.LINE_AA)
            cv2.circle(panel, points[i], 4 * _SCALE, fill, -1, cv2.LINE_AA)


def _legend(canvas: np.ndarray, surface: Surface, labels: LabelSet, x: int, with_path: bool) -> None:
    """Classes present with colour, name and share of the points; below, the size of the map."""
    y = _TITLE_HEIGHT + 16
    _text(canvas, f"classes ({labels.name})", (x, y), 0.55, _FAINT_INK)
    shares = label_shares(surface, labels)
    for name, color, share in shares[:_MAX_ROWS]:
        y += 34
        _box(canvas, (x, y - 17), (22, 22), color)
        _text(canvas, _shorten(name, 17), (x + 34, y), 0.58, _INK)
        _text(canvas, _percent(share), (x + 212, y), 0.58, _FAINT_INK)
    if len(shares) > _MAX_ROWS:
        y += 34
        _text(canvas, f"and {len(shares) - _MAX_ROWS} more", (x + 34, y), 0.58, _FAINT_INK)
    y += 30
    if with_path:
        y += 30
        cv2.line(canvas, _scaled(x, y - 6), _scaled(x + 22, y - 6), _PATH, 3 * _SCALE, cv2.LINE_AA)
        _text(canvas, "camera path", (x + 34, y), 0.58, _INK)
    for line in (f"{int(surface.owned.sum()):,} points", f"{len(surface.faces):,} triangles"):
        y += 30
        _text(canvas, line, (x + 34, y), 0.58, _FAINT_INK)


def _percent(share: float) -> str:
    return f"{100 * share:4.1f} %" if share >= 0.0005 else "< 0.1 %"


def _shorten(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 2] + ".."


def _scaled(x: int, y: int) -> tuple[int, int]:
    return x * _SCALE, y * _SCALE


def _text(
    canvas: np.ndarray, text: str, at: tuple[int, int], size: float, color: tuple[int, int, int], bold: bool = False
) -> None:
    """ASCII text with its baseline's left end at `at` (unscaled pixels)."""
    thickness = 2 * _SCALE if bold else _SCALE
    cv2.putText(canvas, text, _scaled(*at), cv2.FONT_HERSHEY_SIMPLEX, size * _SCALE, color, thickness, cv2.LINE_AA)


def _box(canvas: np.ndarray, at: tuple[int, int], size: tuple[int, int], color: tuple[int, int, int]) -> None:
    cv2.rectangle(canvas, _scaled(*at), _scaled(at[0] + size[0], at[1] + size[1]), [int(c) for c in color], -1)


def _paste(canvas: np.ndarray, image: np.ndarray, at: tuple[int, int]) -> None:
    x, y = _scaled(*at)
    canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
