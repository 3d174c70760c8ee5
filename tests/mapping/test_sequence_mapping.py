"""Mapping a recorded sequence: counting, drops by cause, selection, Ctrl-C, the report's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sem_field_ros.errors import DataError, FrameError, SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.sequence_mapping import MappedFrames, map_sequence, read_frames
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from tests.mapping.scene import CAMERA, LABELS, wall_frame, wall_probabilities

CONFIG = MapConfig(min_weight=1.0, keyframe_distance_m=0.1, keyframe_interval_s=0.0)


class Walls:
    """A sequence of wall frames 6 cm apart; `faults[i]` is raised in place of frame i, or makes it."""

    name, labels, path = "walls", LABELS, "somewhere"

    def __init__(self, count: int, faults: dict[int, BaseException | Callable[[], PosedFrame]] | None = None) -> None:
        self.count, self.faults = count, faults or {}

    def __len__(self) -> int:
        return self.count

    def read(self, i: int) -> PosedFrame:
        fault = self.faults.get(i)
        if isinstance(fault, BaseException):
            raise fault
        return fault() if fault else wall_frame(0.06 * i, stamp_ns=i)

    def __iter__(self) -> Iterator[PosedFrame]:
        return map(self.read, range(self.count))


class WallSegmenter:
    labels = LABELS

    def __init__(self, fails: Callable[[PosedFrame], bool] = lambda frame: False) -> None:
        self.fails = fails

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        if self.fails(frame):
            raise SegmenterError("no label image")
        return wall_probabilities(frame)


def no_depth() -> PosedFrame:
    return PosedFrame(0, np.zeros((60, 80, 3), np.uint8), CAMERA, np.eye(4))


def blind() -> PosedFrame:
    return PosedFrame(0, np.zeros((60, 80, 3), np.uint8), CAMERA, np.eye(4), np.full((60, 80), np.nan, np.float32))


def test_counts_keyframes_and_times() -> None:
    ticks = []
    mapper = Mapper(CONFIG, WallSegmenter())
    run = map_sequence(mapper, Walls(5), on_progress=lambda: ticks.append(1))
    # at 0, 0.12 and 0.24 m: every second of the 6 cm steps moves 0.1 m
    assert (run.frames_in, run.frames_mapped, run.keyframes, len(ticks)) == (5, 5, 3, 5)
    assert not run.drops and len(run.frame_ms) == 5 and len(run.stage_ms["fuse"]) == 3
    assert [pose[0, 3] for pose in run.poses] == pytest.approx([0, 0.06, 0.12, 0.18, 0.24])
    surface = mapper.map.surface()
    report = run.report(mapper, "walls", "made up", surface)
    assert report.cloud_points == surface.owned.sum() > 100
    assert set(report.points_per_class) <= {"left", "right", "unlabelled"} and report.points_per_class["left"] > 50
    assert report.fps == pytest.approx(5 / run.duration_s, rel=0.01)
    assert set(report.latency_ms) == {"p50", "p95"} and report.label_set == "two"


def test_bad_frames_are_counted_by_cause_and_the_rest_is_mapped() -> None:
    faults = {
        0: DataError("x.jpg is missing or no image"),
        2: FrameError("NaN", cause="bad_pose"),
        3: no_depth,
        4: blind,
    }
    run = map_sequence(Mapper(CONFIG, WallSegmenter()), Walls(7, faults))
    assert (run.frames_in, run.frames_mapped) == (7, 3)
    assert run.drops == {"unreadable": 1, "bad_pose": 1, "no_depth": 2}
    assert sum(run.drops.values()) + run.frames_mapped == run.frames_in


def test_a_sequence_without_one_good_frame_is_one_line() -> None:
    with pytest.raises(DataError, match="walls: no frame could be mapped; .*no valid depth"):
        map_sequence(Mapper(CONFIG, WallSegmenter()), Walls(3, {0: no_depth, 1: no_depth, 2: no_depth}))


@pytest.mark.parametrize(
    ("every", "limit", "taken"), [(1, None, [0, 1, 2, 3, 4, 5, 6]), (3, None, [0, 3, 6]), (2, 2, [0, 2]), (1, 1, [0])]
)
def test_selection(every: int, limit: int | None, taken: list[int]) -> None:
    assert [frame.stamp_ns for frame in read_frames(Walls(7), every, limit)] == taken
    run = map_sequence(Mapper(CONFIG, WallSegmenter()), Walls(7), every=every, max_frames=limit)
    assert run.frames_in == len(taken)
    assert [frame.stamp_ns for frame in MappedFrames(Walls(7), every, run)] == taken


def test_a_bad_frame_that_is_not_selected_is_not_counted() -> None:
    faults = {1: DataError("bad"), 2: DataError("bad")}
    run = map_sequence(Mapper(CONFIG, WallSegmenter()), Walls(5, faults), every=2)
    assert (run.frames_in, run.drops) == (3, {"unreadable": 1})
    assert [frame.stamp_ns for frame in MappedFrames(Walls(5, faults), 2, run)] == [0, 4]


def test_ctrl_c_ends_it_early_and_keeps_what_was_mapped() -> None:
    ticks = []

    def interrupt() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            raise KeyboardInterrupt

    mapper = Mapper(CONFIG, WallSegmenter())
    run = map_sequence(mapper, Walls(7), on_progress=interrupt)
    assert run.interrupted and run.frames_mapped == 3
    assert run.report(mapper, "walls", "made up", mapper.map.surface()).to_dict()["interrupted"] is True
    assert [frame.stamp_ns for frame in MappedFrames(Walls(7), 1, run)] == [0, 1, 2]


def test_ctrl_c_before_the_first_frame_is_mapped_leaves_nothing() -> None:
    with pytest.raises(KeyboardInterrupt):
        map_sequence(Mapper(CONFIG, WallSegmenter()), Walls(3, {0: KeyboardInterrupt()}))


def test_keyframes_that_cannot_be_labelled_are_counted_and_their_geometry_stays() -> None:
    mapper = Mapper(CONFIG, WallSegmenter(lambda frame: frame.stamp_ns == 0))
    run = map_sequence(mapper, Walls(5))
    assert (run.frames_mapped, run.keyframes, run.unlabelled_keyframes) == (5, 3, 1)
    report = run.report(mapper, "walls", "made up", mapper.map.surface())
    assert report.to_dict()["unlabelled_keyframes"] == 1


def test_a_segmenter_that_never_works_is_an_error() -> None:
    with pytest.raises(SegmenterError, match="no label image"):
        map_sequence(Mapper(CONFIG, WallSegmenter(lambda frame: True)), Walls(3))
