"""Map evaluation: a hand-made view with known scores, then a real map of the synthetic room, right and wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.datasets.folder_writer import write_sequence
from sem_field_ros.errors import DataError
from sem_field_ros.evaluation.map_evaluation import evaluate_map
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.ply import write_ply
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.surface import RenderedView, Surface
from sem_field_synth.rooms.mesh import write_labelled_mesh
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom

SCANNET = load_label_set("scannet20")
CONFIG = MapConfig(voxel_size_m=0.06, depth_max_m=5.0, min_weight=1.0)  # few, small views


class OneView:
    """A sequence of one labelled frame, 4 x 2 pixels, and one without labels."""

    name = "one"

    def __init__(self, labels: LabelSet | None, path: Path | None = None) -> None:
        self.labels = labels
        if path is not None:
            self.path = path

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[PosedFrame]:
        color = np.zeros((4, 8, 3), np.uint8)
        ids = np.array([[5, 5, 7, 255], [0, 5, 7, 22]], np.uint8)  # chair, table; 255 and 0 unlabelled, 22 ceiling
        depth = np.array([[1, 1, 2, 0], [1, 1, 2, 2]], np.float32)
        yield PosedFrame(1, color, Intrinsics(8, 8, 4, 2, 8, 4), np.eye(4), depth, ids)
        yield PosedFrame(2, color, Intrinsics(8, 8, 4, 2, 8, 4), np.eye(4), depth)


class Shown:
    """A function as a Renderable."""

    def __init__(self, render) -> None:
        self.render = render


def _render(camera: Intrinsics, T: np.ndarray) -> RenderedView:
    assert (camera.width, camera.height) == (4, 2)  # the label image's camera, not the colour image's
    chair, table = SCANNET.index_of("chair"), SCANNET.index_of("table")
    labels = np.array([[chair, table, table, table], [chair, chair, -1, chair]], np.int16)
    depth = np.array([[1.1, 1.1, 2.1, 2], [1.3, 0, 2.1, 2.1]], np.float32)
    return RenderedView(depth, np.zeros((2, 4, 3), np.uint8), labels, confidence=np.ones((2, 4), np.float32))


def test_a_view_known_by_hand() -> None:
    scores = evaluate_map(Surface.empty(), Shown(_render), SCANNET, OneView(load_label_set("scannet20")))
    assert scores.views is not None and scores.mesh is None
    assert scores.views.samples == 5  # 255, 0 and 22 (not a ScanNet-20 id) are not scored
    chair, table = SCANNET.index_of("chair"), SCANNET.index_of("table")
    # chair: right 2, labels 3, predicted 2 -> 2/3; table: right 1, labels 2, predicted 2 -> 1/3
    assert scores.views.iou == {chair: pytest.approx(2 / 3), table: pytest.approx(1 / 3)}
    assert scores.views.accuracy == pytest.approx(3 / 5) and scores.views.coverage == pytest.approx(4 / 5)
    assert scores.depth_error_m == pytest.approx(0.1, abs=1e-5)  # median of .1 .1 .1 .3 .1 .1
    report = scores.as_report(SCANNET)
    assert report["scores_2d"].iou_per_class == {"chair": 0.6667, "table": 0.3333} and report["scores_3d"] is None
    assert report["extra"]["coverage_2d"] == 0.8


def test_the_sequences_classes_are_regrouped_and_nothing_is_scored_without_labels() -> None:
    scores = evaluate_map(Surface.empty(), Shown(_render), SCANNET, OneView(load_label_set("nyu40")))
    assert scores.views is not None and scores.views.samples == 5  # ceiling has no counterpart
    scores = evaluate_map(Surface.empty(), Shown(_render), SCANNET, OneView(None))
    assert scores.views is None and scores.depth_error_m is None


def test_a_mesh_without_labels_is_refused(tmp_path: Path) -> None:
    write_ply(tmp_path / "mesh_labels.ply", {axis: np.zeros(1, np.float32) for axis in "xyz"}, np.zeros((0, 3), int))
    with pytest.raises(DataError, match="no vertex property 'label'"):
        evaluate_map(Surface.empty(), Shown(_render), SCANNET, OneView(SCANNET, tmp_path))


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> FolderSequence:
    room = SyntheticRoom(RoomConfig(seed=3, frames=20, width=128, height=96))
    path = tmp_path_factory.mktemp("room")
    write_sequence(path, room, {"label_set": "scannet20"})
    write_labelled_mesh(path / "mesh_labels.ply", room)
    return FolderSequence(path)


@pytest.fixture(scope="module")
def mapper(sequence: FolderSequence) -> Mapper:
    mapper = Mapper(CONFIG, make_segmenter("external", source=sequence.labels))
    for frame in sequence:
        mapper.register_frame(frame)
    return mapper


def test_the_synthetic_room_maps_well(sequence: FolderSequence, mapper: Mapper) -> None:
    scores = evaluate_map(mapper.map.surface(), mapper.map, SCANNET, sequence)
    assert scores.views is not None and scores.mesh is not None and scores.depth_error_m is not None
    assert scores.views.miou > 0.7 and scores.views.accuracy > 0.8 and scores.views.coverage > 0.8
    assert scores.mesh.miou > 0.6 and scores.mesh.coverage > 0.8
    assert scores.depth_error_m < 0.03
    assert {SCANNET.names[c] for c in scores.views.iou} >= {"wall", "floor", "chair", "table", "door", "window"}


def test_wrong_labels_and_a_displaced_map_score_badly(sequence: FolderSequence, mapper: Mapper) -> None:
    surface = mapper.map.surface()
    rotated = np.where(surface.labels >= 0, (surface.labels + 1) % len(SCANNET), -1).astype(np.int16)
    wrong = dataclasses.replace(surface, labels=rotated)

    def render_wrong(camera: Intrinsics, T: np.ndarray) -> RenderedView:
        view = mapper.map.render(camera, T)
        shifted = np.where(view.labels >= 0, (view.labels + 1) % len(SCANNET), -1).astype(np.int16)
        return dataclasses.replace(view, labels=shifted)

    scores = evaluate_map(wrong, Shown(render_wrong), SCANNET, sequence, every=6)
    assert scores.views is not None and scores.views.miou < 0.05
    assert scores.mesh is not None and scores.mesh.miou < 0.05
    away = dataclasses.replace(surface, vertices=surface.vertices + np.float32(20))
    scores = evaluate_map(away, mapper.map, SCANNET, sequence, every=6)
    assert scores.mesh is not None and scores.mesh.coverage == 0 and scores.mesh.miou == 0


def test_fusing_noisy_views_beats_the_last_one(sequence: FolderSequence) -> None:
    scores = {}
    for fusion in ("bayesian", "last_wins"):
        mapper = Mapper(dataclasses.replace(CONFIG, fusion=fusion), make_segmenter("noisy:0.3", source=sequence.labels))
        for frame in sequence:
            mapper.register_frame(frame)
        views = evaluate_map(mapper.map.surface(), mapper.map, SCANNET, sequence, every=3).views
        assert views is not None
        scores[fusion] = views.miou
    assert scores["bayesian"] > scores["last_wins"] + 0.05, scores
