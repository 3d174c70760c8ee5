"""Evaluation of sequences: the same numbers as the single-map way, pooled over scenes, and nothing scored twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.datasets.folder_writer import write_sequence
from sem_field_ros.errors import DataError
from sem_field_ros.evaluation.map_evaluation import MapTally, evaluate_map
from sem_field_ros.evaluation.sequence_evaluation import Scope, SequenceEvaluation
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.sequence_mapping import map_sequence
from sem_field_ros.segmentation.external import ExternalSegmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_synth.rooms.mesh import write_labelled_mesh
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom

SCANNET = load_label_set("scannet20")
CONFIG = MapConfig(voxel_size_m=0.08, min_weight=1.0, fusion="bayesian")
SEGMENTER = ExternalSegmenter(SCANNET, noise_rate=0.3)


def _room(path: Path, seed: int, frames: int) -> FolderSequence:
    room = SyntheticRoom(RoomConfig(seed=seed, frames=frames, width=96, height=72))
    write_sequence(path, room, {"label_set": "scannet20"})
    write_labelled_mesh(path / "mesh_labels.ply", room)
    return FolderSequence(path)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> list[FolderSequence]:
    return [_room(tmp_path_factory.mktemp(f"room{seed}"), seed, frames) for seed, frames in ((3, 10), (4, 6))]


def _evaluate(sequences, fusions=("bayesian", "last_wins"), segmenter=SEGMENTER, scope=Scope()) -> SequenceEvaluation:
    evaluation = SequenceEvaluation(segmenter, SCANNET, CONFIG, fusions)
    for sequence in sequences:
        evaluation.add(sequence, scope)
    return evaluation


@pytest.fixture(scope="module")
def first(rooms) -> SequenceEvaluation:
    return _evaluate(rooms[:1])


def test_a_map_scores_as_it_does_on_its_own(rooms, first) -> None:
    mapper = Mapper(CONFIG, SEGMENTER)
    map_sequence(mapper, rooms[0])
    alone = evaluate_map(mapper.map.surface(), mapper.map, SCANNET, rooms[0])
    pooled = first.maps["bayesian"].scores()
    assert alone.views == pooled.views and alone.depth_error_m == pooled.depth_error_m
    assert pooled.mesh.miou == pytest.approx(alone.mesh.miou, abs=0.02)  # here the map's reach counts
    assert first.maps["last_wins"].scores().views.miou < pooled.views.miou


def test_images_are_scored_at_the_size_of_their_labels(rooms, first) -> None:
    labelled = sum(int((SCANNET.to_index(frame.labels) >= 0).sum()) for frame in rooms[0])
    scores = first.images.scores()
    assert scores.samples == labelled and 0.55 < scores.accuracy < 0.85  # 30 % of the pixels were spoilt
    assert first.calibration.scores().samples.sum() <= labelled
    assert len(first.segment_ms) == first.frames == 10 and first.scenes == 1 and not first.problems


class _FromElsewhere:
    """Segments a frame by the labels that another sequence has for it."""

    labels = SCANNET

    def __init__(self, labelled: FolderSequence) -> None:
        self._frames = {frame.name: frame for frame in labelled}

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        return SEGMENTER.segment(self._frames[frame.name])


def test_frames_without_labels_are_mapped_and_not_scored(rooms, tmp_path) -> None:
    """label/ holds two frames of ten, as hand-drawn truth does."""
    chosen = ("000003", "000007")
    for item in rooms[0].path.iterdir():
        if item.name not in ("label", "mesh_labels.ply"):
            (tmp_path / item.name).symlink_to(item)
    (tmp_path / "label").mkdir()
    for name in chosen:
        (tmp_path / "label" / f"{name}.png").symlink_to(rooms[0].path / "label" / f"{name}.png")
    sparse, segmenter = FolderSequence(tmp_path), _FromElsewhere(rooms[0])
    evaluation = _evaluate([sparse], fusions=("bayesian",), segmenter=segmenter)
    assert evaluation.frames == len(evaluation.segment_ms) == 10 and not evaluation.problems
    mapper, tally, images = Mapper(CONFIG, segmenter), MapTally(SCANNET), 0
    map_sequence(mapper, rooms[0])
    for frame in rooms[0]:
        if frame.name in chosen:
            tally.add_view(frame, SCANNET, mapper.map)
            images += int((SCANNET.to_index(frame.labels) >= 0).sum())
    np.testing.assert_array_equal(evaluation.maps["bayesian"].views.counts, tally.views.counts)
    assert evaluation.images.scores().samples == images
    alone = evaluate_map(mapper.map.surface(), mapper.map, SCANNET, sparse)
    assert alone.views == tally.scores().views


def test_scenes_are_pooled_by_their_counts(rooms, first) -> None:
    second, both = _evaluate(rooms[1:]), _evaluate(rooms)
    for fusion in ("bayesian", "last_wins"):
        summed = first.maps[fusion].views.counts + second.maps[fusion].views.counts
        np.testing.assert_array_equal(both.maps[fusion].views.counts, summed)
    np.testing.assert_array_equal(both.images.counts, first.images.counts + second.images.counts)
    assert both.frames == 16 and both.scenes == 2
    a, b, pooled = (e.geometry().accuracy for e in (first, second, both))
    assert min(a, b) <= pooled <= max(a, b)


def test_the_surface_is_near_the_true_one(first) -> None:
    surface, depth = first.geometry(), first.depth.scores()
    assert surface.accuracy < 0.05 and surface.fscore[0.1] > 0.8
    assert depth.mae < 0.1 and depth.coverage > 0.6 and depth.delta1 > 0.9


def test_without_a_segmenter_only_geometry_is_scored(rooms) -> None:
    evaluation = _evaluate(rooms[1:], ("bayesian",), segmenter=None)
    scores = evaluation.maps["bayesian"].scores()
    assert scores.views is None and scores.mesh is None and evaluation.images.scores().samples == 0
    assert evaluation.geometry() is not None and evaluation.depth.scores() is not None


def test_the_scope_is_kept(rooms) -> None:
    evaluation = _evaluate(rooms, ("bayesian",), scope=Scope(every=3, max_frames=2))
    assert evaluation.frames == 4
    labelled = [frame.labels for room in rooms for i, frame in enumerate(room) if i in (0, 3)]
    assert evaluation.images.scores().samples == sum(int((SCANNET.to_index(x) >= 0).sum()) for x in labelled)


class _Broken:
    """A sequence with a frame that cannot be read, one without depth, and one that the segmenter cannot do."""

    name, labels, path = "broken", SCANNET, ""

    def __init__(self, frames) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self):
        def read(frame):
            if frame is None:
                raise DataError("frame 7 is no image")
            return frame

        return map(read, self._frames)


def test_frames_that_cannot_be_used_are_noted_and_left_out(rooms) -> None:
    good = list(rooms[1])[:3]
    odd = [None, dataclasses.replace(good[0], depth=None), dataclasses.replace(good[1], labels=None)]
    evaluation = _evaluate([_Broken(good + odd)], ("bayesian",))
    assert evaluation.frames == 4 and len(evaluation.problems) == 3
    assert "no image" in evaluation.problems[0] and "needs a label image" in evaluation.problems[2]
    with pytest.raises(DataError, match="no frame could be mapped; frame 7 is no image"):
        _evaluate([_Broken([None])], ("bayesian",))
