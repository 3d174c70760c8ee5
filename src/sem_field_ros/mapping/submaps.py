"""Submaps: the map a mapper is working on and, before it, maps that were frozen when the world frame jumped.

Frozen maps do not change. They stay part of the surface (with block ids of their own), answer queries where the active
map has nothing, and are saved with it. Their number is bounded: the oldest is removed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import Any

import numpy as np

from sem_field_ros.errors import MapFileError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState
from sem_field_ros.mapping.files.map_state import read_header
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import (
    PointSamples,
    RenderedView,
    Surface,
    SurfaceScene,
    SurfaceUpdate,
    known,
    merge_surfaces,
)

HEADER_KEY = "submaps"  # in a saved map's header: the headers of its frozen maps, oldest first


@dataclass
class _Submap:
    """One map and the published ids of its blocks."""

    map: SemanticMap
    ids: dict[int, int] = field(default_factory=dict)


class Submaps:
    """A Mapper's active map plus at most `max_frozen` frozen ones. Not thread-safe, like the maps."""

    def __init__(self, mapper: Mapper, max_frozen: int) -> None:
        self.mapper = mapper
        self.max_frozen = max_frozen
        self._active = _Submap(mapper.map)
        self._frozen: list[_Submap] = []  # oldest first
        self._next_id = count()
        self._removed: list[int] = []  # ids of blocks of removed maps, not yet reported

    @classmethod
    def of(cls, state: MapState, device: str) -> Submaps:
        """All maps of a saved state on a torch device, without a segmenter. Raises MapFileError if it does not fit."""
        header = read_header(state.header)
        config = replace(header.config, device=device)
        submaps = cls(Mapper(config, None, header.labels, predicts_depth=False), max_frozen=sys.maxsize)
        submaps.load(state, config)
        return submaps

    @property
    def labels(self) -> LabelSet:
        """The label set that all maps share."""
        return self.active.labels

    @property
    def camera_poses(self) -> list[np.ndarray]:
        """The camera's path: T_world_camera of the keyframes of all maps, in order."""
        return [pose for submap in [*self._frozen, self._active] for pose in submap.map.path.poses]

    @property
    def active(self) -> SemanticMap:
        """The active map, which takes frames."""
        return self._active.map

    def __len__(self) -> int:
        return 1 + len(self._frozen)

    def begin_submap(self) -> None:
        """Freeze the active map and continue with an empty one. An empty active map is kept."""
        if self.active.stats()["blocks"] == 0:
            return
        self._frozen.append(self._active)
        if len(self._frozen) > self.max_frozen:
            self._removed += self._frozen.pop(0).ids.values()
        self.mapper.use_map(SemanticMap(self.active.config, self.active.labels))
        self._active = _Submap(self.mapper.map)

    def reset(self) -> None:
        """Forget all maps."""
        self._forget()
        self.mapper.reset()
        self._active = _Submap(self.mapper.map)

    def _forget(self) -> None:
        for submap in [*self._frozen, self._active]:
            self._removed += submap.ids.values()
        self._frozen = []

    def update_surface(self) -> SurfaceUpdate:
        """What changed since the last call, over all maps; block ids are unique over the maps and never used again."""
        changed: dict[int, Surface] = {}
        removed, self._removed = self._removed, []
        for submap in [*self._frozen, self._active]:  # a frozen map reports its last changes once
            update = submap.map.update_surface()
            removed += [submap.ids.pop(block) for block in update.removed if block in submap.ids]
            for block, surface in update.changed.items():
                if block not in submap.ids:
                    submap.ids[block] = next(self._next_id)
                changed[submap.ids[block]] = surface
        return SurfaceUpdate(changed, removed)

    def surface(self) -> Surface:
        """The surfaces of all maps together."""
        return merge_surfaces([submap.map.surface() for submap in [*self._frozen, self._active]])

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """Add a frame to the active map, see SemanticMap.add."""
        self.active.add(frame, probabilities)

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """Ray cast the surfaces of all maps together."""
        if not self._frozen:
            return self.active.render(camera, T_world_camera)
        return SurfaceScene(self.surface()).render(camera, T_world_camera)

    def query(self, points: np.ndarray) -> PointSamples:
        """Answers at points [N, 3]: from the newest map that has observed each point."""
        answer = self.active.query(points)
        for submap in reversed(self._frozen):
            missing = np.isnan(known(answer.sdf))
            if not missing.any():
                break
            older = submap.map.query(points[missing])
            answer = _filled(answer, missing, older)
        return answer

    def stats(self) -> dict[str, float]:
        """The active map's stats, with blocks, surface_voxels and map_bytes summed over all maps, and `submaps`."""
        out = dict(self.active.stats())
        for submap in self._frozen:
            stats = submap.map.stats()
            for key in ("blocks", "surface_voxels", "map_bytes"):
                out[key] += stats[key]
        return out | {"submaps": len(self)}

    def state(self) -> MapState:
        """Everything as one map state: the active map's, and each frozen one's arrays under `submapI/`."""
        state = self.active.state()
        if not self._frozen:
            return state
        frozen = [submap.map.state() for submap in self._frozen]
        arrays = dict(state.arrays)
        for i, part in enumerate(frozen):
            arrays |= {f"submap{i}/{name}": array for name, array in part.arrays.items()}
        return MapState(arrays, {**state.header, HEADER_KEY: [dict(part.header) for part in frozen]})

    def load(self, state: MapState, config: MapConfig) -> None:
        """Replace all maps by those of a state. Raises MapFileError, and changes nothing, if it does not fit."""
        headers = state.header.get(HEADER_KEY, [])
        if not isinstance(headers, list):
            raise MapFileError(f"the map's header has no list under '{HEADER_KEY}': map again")
        own = {name: array for name, array in state.arrays.items() if "/" not in name}
        active = self._checked(MapState(own, state.header), config)
        frozen = [self._checked(_part(state, i, header), config) for i, header in enumerate(headers)]
        self._forget()
        self.mapper.use_map(active)
        self._active = _Submap(active)
        self._frozen = [_Submap(part) for part in frozen[max(0, len(frozen) - self.max_frozen) :]]

    def _checked(self, state: MapState, config: MapConfig) -> SemanticMap:
        loaded = SemanticMap.from_state(state, config)
        ours = self.active.labels
        if [(c.id, c.name) for c in loaded.labels.classes] != [(c.id, c.name) for c in ours.classes]:
            raise MapFileError(
                f"the map has label set '{loaded.labels.name}' but the segmenter has '{ours.name}': "
                "choose the label set that the map was made with"
            )
        return loaded


def _filled(answer: PointSamples, where: np.ndarray, by: PointSamples) -> PointSamples:
    """`answer` with the rows `where` [N] bool taken from `by`."""
    columns = {}
    for column in fields(PointSamples):
        values = getattr(answer, column.name)
        if values is not None:
            columns[column.name] = np.array(values)
            columns[column.name][where] = getattr(by, column.name)
    return replace(answer, **columns)


def _part(state: MapState, index: int, header: Mapping[str, Any]) -> MapState:
    prefix = f"submap{index}/"
    arrays = {name[len(prefix) :]: array for name, array in state.arrays.items() if name.startswith(prefix)}
    return MapState(arrays, header)
