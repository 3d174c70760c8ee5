"""A home scene as one triangle soup, shared by the colour renderers, the ground truth and the labelled mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_synth.catalogue.obj_model import read_obj
from sem_field_synth.scene import Finish, HomeScene, Panel, PlacedModel


@dataclass(frozen=True)
class SceneMesh:
    """Triangles in world metres, each with its own corners.

    corners   [T, 3, 3] float64      normals   [T, 3, 3] float32, unit, on the side the triangle points to
    uv        [T, 3, 2] float32      finish    [T] int32 into `finishes`
    instance  [T] uint16             nyu40     [T] int16 class index of label set nyu40, -1 = unlabelled
    """

    corners: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    finish: np.ndarray
    instance: np.ndarray
    nyu40: np.ndarray
    finishes: tuple[Finish, ...]

    def __len__(self) -> int:
        return len(self.corners)


def scene_mesh(scene: HomeScene) -> SceneMesh:
    """All panels and models of a scene. Raises DataError or LabelSetError in one line."""
    labels = load_label_set("nyu40")
    builder = _Builder(labels)
    for panel in scene.panels:
        builder.add_panel(panel)
    for model in scene.models:
        builder.add_model(model)
    return builder.mesh()


class _Builder:
    def __init__(self, labels: LabelSet) -> None:
        self._labels = labels
        self._parts: list[tuple[np.ndarray, ...]] = []
        self._finishes: dict[Finish, int] = {}

    def add_panel(self, panel: Panel) -> None:
        corners = np.asarray(panel.vertices, np.float64)[panel.faces]
        face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.repeat(_unit(face)[:, None], 3, axis=1)
        finish = np.full(len(corners), self._finish(panel.finish))
        self._add(
            corners,
            normals,
            np.asarray(panel.uv)[panel.faces],
            finish,
            panel.instance,
            np.full(len(corners), self._labels.index_of(panel.nyu40)),
        )

    def add_model(self, placed: PlacedModel) -> None:
        model = read_obj(placed.model)
        rotation = placed.T_world_model[:3, :3]
        corners = model.corners @ rotation.T + placed.T_world_model[:3, 3]
        normals = _unit(model.normals @ np.linalg.inv(rotation))  # by the inverse transposed
        uv = model.uv
        if np.linalg.det(rotation) < 0:  # mirrored: corners in the opposite order keep pointing outwards
            corners, normals, uv = corners[:, ::-1], normals[:, ::-1], uv[:, ::-1]
        table = np.array([self._finish(placed.finishes.get(n, f)) for n, f in model.materials.items()])
        names = [placed.classes.get(name, placed.nyu40) for name in model.materials]
        classes = np.array([self._labels.index_of(name) for name in names])[model.material]
        self._add(corners, normals, uv, table[model.material], placed.instance, classes)

    def _finish(self, finish: Finish) -> int:
        return self._finishes.setdefault(finish, len(self._finishes))

    def _add(
        self,
        corners: np.ndarray,
        normals: np.ndarray,
        uv: np.ndarray,
        finish: np.ndarray,
        instance: int,
        nyu40: np.ndarray,
    ) -> None:
        self._parts.append((corners, normals, uv, finish, np.full(len(corners), instance), nyu40))

    def mesh(self) -> SceneMesh:
        kinds = (np.float64, np.float32, np.float32, np.int32, np.uint16, np.int16)
        columns = zip(*self._parts, strict=True)
        arrays = [np.concatenate(column).astype(kind) for column, kind in zip(columns, kinds, strict=True)]
        corners, normals, uv, finish, instance, nyu40 = arrays
        return SceneMesh(corners, normals, uv, finish, instance, nyu40, tuple(self._finishes))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
