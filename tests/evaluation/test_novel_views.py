"""Held-out views: what is held out is never mapped, scores by hand, renderings of a room whose every view is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sem_field_ros.errors import DataError, SegmenterError
from sem_field_ros.evaluation.baselines import NearestImage, WarpedImages
from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.evaluation.novel_view_picture import draw_novel_views
from sem_field_ros.evaluation.novel_views import (
    MAP_COLORS,
    NEAREST,
    WARPED,
    NovelViewEvaluation,
    ViewTally,
    is_held_out,
    novel_view_rows,
    segmented,
)
from sem_field_ros.evaluation.results import IMAGES
from sem_field_ros.evaluation.sequence_evaluation import Scope
from sem_field_ros.fields.common.window import nearest_views
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.external import ExternalSegmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import RenderedView
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom

SCANNET = load_label_set("scannet20")
CONFIG = MapConfig(voxel_size_m=0.05, min_weight=1.0, fusion="bayesian")
MAPS = {name: replace(CONFIG, fusion=name) for name in ("bayesian", "last_wins")}
ALL = Scope()


class Room:
    """Frames of a small room whose camera moves little: every view is well seen from the others."""

    name, labels = "room", SCANNET

    def __init__(self, frames: list[PosedFrame]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self):
        return iter(self._frames)


@pytest.fixture(scope="module")
def frames() -> list[PosedFrame]:
    room = SyntheticRoom(RoomConfig(seed=3, frames=48, width=96, height=72, noise=False))
    return [room.frame(i) for i in range(7)]


class Spy:
    """A segmenter by the label image, or, where there is none, one that says wall; remembers what it was asked."""

    labels = SCANNET

    def __init__(self) -> None:
        self.asked: list[PosedFrame] = []
        self._external = ExternalSegmenter(SCANNET)

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        self.asked.append(frame)
        if frame.labels is not None:
            return self._external.segment(frame)
        values = torch.zeros(len(SCANNET), 3, 4)
        values[0] = 1
        return ClassProbabilities(values)


class Field:
    """In place of a field: remembers what it was given, shows nothing but one class."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        assert probabilities is not None
        self.taken.append(frame.name)

    def render(self, camera, T_world_camera) -> RenderedView:
        size = camera.height, camera.width
        return RenderedView(np.ones(size, np.float32), np.zeros((*size, 3), np.uint8), np.full(size, 1, np.int16))


def test_which_frames_are_held_out() -> None:
    assert [i for i in range(12) if is_held_out(i, 5)] == [2, 7]
    assert [i for i in range(7) if is_held_out(i, 2)] == [1, 3, 5]


def test_a_tally_by_hand() -> None:
    tally = ViewTally(2)
    truth = np.array([[0, 0], [1, -1]])
    labels, covered = np.array([[0, -1], [0, 1]]), np.array([[True, False], [True, True]])
    image = np.full((2, 2, 3), 100, np.uint8)
    shown = image.copy()
    shown[covered] += 51  # 0.2 of 255
    shown[~covered] = 0
    tally.add(RenderedView(rgb=shown, labels=labels, covered=covered), truth, image)
    scores = tally.views.scores()
    assert scores.accuracy == pytest.approx(1 / 3) and scores.coverage == pytest.approx(2 / 3)
    assert scores.iou == {0: pytest.approx(1 / 3), 1: 0.0}  # the uncovered pixel is a wrong one of class 0
    assert tally.covered.scores().iou == {0: 0.5, 1: 0.0}
    assert tally.covered_psnr == [pytest.approx(-20 * np.log10(0.2))]
    assert tally.psnr == [pytest.approx(-10 * np.log10((3 * 0.04 + (100 / 255) ** 2) / 4))]


def test_the_nearest_views_by_motion_and_rotation() -> None:
    def pose(x: float, degrees: float) -> np.ndarray:
        T, a = np.eye(4), np.radians(degrees)
        T[:2, :2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
        T[0, 3] = x
        return T

    sources = [pose(0.3, 0), pose(0, 30), pose(0.1, 0), pose(0.05, 15)]  # 3, 2, 1 and 1.5 steps
    assert nearest_views(np.eye(4), sources, 3) == [2, 3, 1]


def test_held_out_frames_reach_no_map_and_no_field(frames, monkeypatch) -> None:
    mapped: list[str] = []
    integrate = SemanticMap.integrate
    monkeypatch.setattr(
        SemanticMap, "integrate", lambda self, frame: (mapped.append(frame.name), integrate(self, frame))
    )
    field, segmenter = Field(), Spy()
    evaluation = NovelViewEvaluation(segmenter, MAPS, {"field": field}, hold_out=3)
    ticks: list[None] = []
    evaluation.add(Room(frames), ALL, lambda: ticks.append(None))
    held = [frames[1].name, frames[4].name]
    sources = [frame.name for frame in frames if frame.name not in held]
    assert field.taken == sources and field.resets == 1 and len(ticks) == len(frames)
    assert mapped == [name for name in sources for _ in MAPS]
    renderings = [frame for frame in segmenter.asked if frame.labels is None]
    assert len(renderings) == 2 * 4 and all(frame.depth is None for frame in renderings)  # colours of four renderers
    assert evaluation.views == 2 and not evaluation.problems


def test_a_perfect_segmenter_is_nearly_right_in_views_that_were_not_mapped(frames) -> None:
    evaluation = NovelViewEvaluation(Spy(), MAPS, {"field": Field()}, hold_out=3)
    evaluation.add(Room(frames), ALL)
    tallies = evaluation.tallies()
    maps, fields = list(MAPS), ["field", segmented("field")]
    baselines = [segmented(name) for name in (MAP_COLORS, WARPED, NEAREST)]
    assert list(tallies) == [*maps, *baselines, *fields, IMAGES]
    for name in maps:
        assert tallies[name].covered.scores().accuracy > 0.93 and tallies[name].views.scores().coverage > 0.8
    assert tallies[IMAGES].views.scores().accuracy > 0.97
    truth = np.concatenate([SCANNET.to_index(frames[i].labels).ravel() for i in (1, 4)])
    floor = tallies["field"].views.scores()  # it says floor everywhere
    assert floor.accuracy == pytest.approx((truth == 1).sum() / (truth >= 0).sum())
    blurred, warped = tallies[segmented(MAP_COLORS)], tallies[segmented(WARPED)]
    assert np.mean(warped.covered_psnr) > np.mean(blurred.covered_psnr) + 1 and np.mean(warped.covered_psnr) > 25
    assert np.mean(warped.psnr) < np.mean(warped.covered_psnr)
    assert 18 < np.mean(tallies[segmented(NEAREST)].covered_psnr) < 60


def test_the_nearest_image_moves_with_its_depth(frames) -> None:
    baseline = NearestImage()
    frame = frames[0]
    baseline.add(frame)
    same = baseline.render(frame.camera, frame.T_world_camera)
    assert same.rgb is not None and same.depth is not None
    known = frame.depth > 0
    assert np.abs(same.rgb[known].astype(int) - frame.color[known]).max() <= 1
    assert np.allclose(same.depth, np.where(known, frame.depth, 0), atol=1e-4)
    behind = frame.T_world_camera.copy()
    behind[:3, 3] -= 50 * behind[:3, 2]
    far = baseline.render(frame.camera, behind)
    assert far.depth is not None and 0 < (far.depth > 0).mean() < 0.1 and (far.depth[far.depth > 0] > 45).all()


def test_rows_and_picture(frames) -> None:
    evaluation = NovelViewEvaluation(Spy(), MAPS, {}, hold_out=3)
    evaluation.add(Room(frames), ALL)
    evaluation.add(Room(frames), Scope(max_frames=3))
    rows = novel_view_rows(evaluation, "b", "spy")
    values = {(row.method, row.metric): row.value for row in rows}
    assert {row.benchmark for row in rows} == {"b, novel views/spy/scannet20"} and len(values) == len(rows)
    samples = sum(int((SCANNET.to_index(frames[i].labels) >= 0).sum()) for i in (1, 4, 1))  # pooled
    assert values["bayesian", "samples_2d"] == values[IMAGES, "samples_2d"] == samples
    assert values["bayesian", "miou_covered_2d"] >= values["bayesian", "miou_2d"]
    assert ("bayesian", "psnr") not in values and values[segmented(WARPED), "psnr_covered"] > 20
    assert 1 > values[segmented(WARPED), "ssim"] > values[segmented(MAP_COLORS), "ssim"] > 0
    picture = draw_novel_views(evaluation.pictures, SCANNET, width=40, columns=3)
    assert len(evaluation.pictures) == 2 and picture.shape[1] == 3 * 44 - 4
    tiles = 2 * 3  # blocks of 9 tiles: image, truth, 2 maps, 2 renderings with labels, image by image
    assert picture.shape[0] >= tiles * (18 + 30 + 4)
    np.testing.assert_allclose(picture[18 + 15, 20], evaluation.pictures[0].color[36, 48], atol=30)


def test_a_source_seen_from_its_own_camera_is_itself(frames) -> None:
    scene = SemanticMap(CONFIG, SCANNET)
    for frame in frames:
        scene.integrate(frame)
    images = WarpedImages(scene, views=1)
    for frame in frames:
        images.add(frame, None)
    frame = frames[3]
    shown = images.render(frame.camera, frame.T_world_camera)
    assert shown.rgb is not None and shown.labels is None and shown.covered.mean() > 0.8
    difference = np.abs(shown.rgb.astype(int) - frame.color)[1:-1, 1:-1][shown.covered[1:-1, 1:-1]]
    assert (difference <= 1).mean() > 0.99
    behind = frame.T_world_camera.copy()
    behind[:3, :3] = behind[:3, :3] @ np.diag([-1.0, 1, -1])
    elsewhere = images.render(frame.camera, behind)  # turned round: nothing was seen there
    assert elsewhere.rgb is not None and (elsewhere.rgb[~elsewhere.covered] == 0).all()


def test_what_cannot_be_segmented_has_no_row(frames) -> None:
    evaluation = NovelViewEvaluation(ExternalSegmenter(SCANNET), MAPS, {}, hold_out=4)
    evaluation.add(Room(frames), ALL)
    tallies = evaluation.tallies()
    assert list(tallies) == [*MAPS, IMAGES] and "needs a label image" in evaluation.problems[0]


def test_a_sequence_must_have_sources_and_held_out_frames(frames) -> None:
    evaluation = NovelViewEvaluation(Spy(), MAPS, {}, hold_out=5)
    with pytest.raises(DataError, match="with one of 5 held out, none of its 2 frames is held out"):
        evaluation.add(Room(frames[:2]), ALL)
    with pytest.raises(DataError, match="none of the frames that are not held out could be mapped"):
        evaluation.add(Room([replace(frame, depth=None) for frame in frames]), ALL)


def test_a_segmenter_that_fails_leaves_frames_out(frames) -> None:
    class Failing(Spy):
        def segment(self, frame: PosedFrame) -> ClassProbabilities:
            raise SegmenterError("no memory")

    evaluation = NovelViewEvaluation(Failing(), MAPS, {}, hold_out=3)
    evaluation.add(Room(frames), ALL)
    assert list(evaluation.tallies()) == list(MAPS)
    assert evaluation.tallies()["bayesian"].views.scores().coverage == 0


def test_confusions_of_covered_pixels_are_those_of_the_map() -> None:
    tally, counts = ViewTally(3), Confusion(3)
    random = np.random.default_rng(0)
    truth, labels = random.integers(-1, 3, (8, 9)), random.integers(-1, 3, (8, 9))
    tally.add(RenderedView(labels=labels), truth, np.zeros((8, 9, 3), np.uint8))
    counts.add(truth, labels)
    np.testing.assert_array_equal(tally.covered.counts, counts.covered().counts)


def test_recordings_without_label_images_are_scored_on_colour_alone(frames: list[PosedFrame]) -> None:
    class Unlabelled(Room):
        labels = None  # type: ignore[assignment]

    plain = Unlabelled([replace(frame, labels=None) for frame in frames])
    evaluation = NovelViewEvaluation(Wall(), MAPS, {}, hold_out=5)
    evaluation.add(plain, ALL)
    metrics = {(row.method, row.metric) for row in novel_view_rows(evaluation, "room", "wall")}
    assert {(segmented(WARPED), "psnr"), (segmented(MAP_COLORS), "ssim")} <= metrics
    assert not [metric for _, metric in metrics if "iou" in metric or "accuracy" in metric]
    assert draw_novel_views(evaluation.pictures, SCANNET).ndim == 3


class Wall:
    """A segmenter to which everything is wall."""

    labels = SCANNET

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        values = torch.zeros(len(SCANNET), 6, 8)
        values[0] = 1
        return ClassProbabilities(values)
