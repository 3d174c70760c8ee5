"""Opens the field `warp` as a scene, and chooses the sources of a view by what they show of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.errors import SettingError
from sem_field_ros.fields.common.posed_images import PosedImageScene, SceneOptions
from sem_field_ros.fields.common.window import nearest_pixels
from sem_field_ros.fields.warp.model import Warp
from sem_field_ros.geometry.camera import Intrinsics, project, unproject
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.labels import LabelSet

_VIEWS, _IMAGE_WIDTH = 10, 320
_NEAREST = 4  # of them are the nearest ones, which look most alike; the others show what those do not
_POINTS = (12, 16)  # of a source, rows and columns, that decide what it shows
_CELLS = (12, 16)  # of the view
_FRONT = 1.1  # points this much farther than the nearest one of their cell are hidden


class WarpedViews(PosedImageScene):
    """Source images that are warped along their depth. See the module; a scene.FieldScene."""

    def _window_of_view(self, camera: Intrinsics, T_world_camera: np.ndarray) -> list[int]:
        """The nearest sources, then one by one the source that shows most of what no chosen one shows."""
        near = self._window(T_world_camera)
        chosen = near[:_NEAREST]
        if not chosen:
            return chosen
        like = self._sources[chosen[0]].sizes
        candidates = [i for i, source in enumerate(self._sources) if source.sizes == like]
        shown = self._shown_cells(candidates, camera, T_world_camera)
        missing = ~np.any([shown[i] for i in chosen], axis=0)
        while len(chosen) < _VIEWS:
            best = max(candidates, key=lambda i: int((shown[i] & missing).sum()))
            if not (shown[best] & missing).any():
                break
            chosen.append(best)
            missing &= ~shown[best]
        return chosen + [i for i in near if i not in chosen][: _VIEWS - len(chosen)]

    def _shown_cells(self, places: list[int], camera: Intrinsics, T_world_camera: np.ndarray) -> dict[int, np.ndarray]:
        """By source: which cells [12 * 16] of a view it shows the nearest surface of."""
        small = camera.scaled(_CELLS[1], _CELLS[0])
        cells, depths = {}, {}
        nearest = np.full(_CELLS[0] * _CELLS[1], np.inf)
        for i in places:
            source = self._sources[i]
            local = unproject(nearest_pixels(source.depth, _POINTS), source.camera).reshape(-1, 3)
            points = transform_points(source.T_world_camera, local[local[:, 2] > 0])
            pixels, z = project(transform_points(inverse(T_world_camera), points), small)
            column, row = np.clip(pixels, -1e4, 1e4).round().astype(int).T
            inside = (z > 0.05) & (column >= 0) & (row >= 0) & (column < _CELLS[1]) & (row < _CELLS[0])
            cells[i], depths[i] = (row * _CELLS[1] + column)[inside], z[inside]
            np.minimum.at(nearest, cells[i], depths[i])
        shown = {i: np.zeros(nearest.shape, bool) for i in places}
        for i in places:
            shown[i][cells[i][depths[i] < _FRONT * nearest[cells[i]]]] = True
        return shown


def open_field(path: str | Path, labels: LabelSet, options: SceneOptions) -> WarpedViews:
    """A scene of source images that are warped. Raises SettingError where depth images are not to be used."""
    if not options.depth:
        raise SettingError(f"field '{path}' needs depth images, and none are to be used: choose another field")
    return WarpedViews(Warp(), len(labels), _VIEWS, _IMAGE_WIDTH, options)
