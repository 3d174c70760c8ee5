"""Labelled frames: which are read, how often each is drawn, weights of classes; by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.errors import DataError
from sem_field_ros.labels import load_label_set
from sem_field_ros.training.samples.labelled_frames import (
    DrawOrder,
    LabelledFrame,
    class_shares,
    loss_weights,
    read_frames,
    repeat_factors,
    scenes_of,
)

from .homes import write_homes, write_scene

LABELS = load_label_set("scannet20")


def frame(index: list[list[int]]) -> LabelledFrame:
    array = np.array(index, np.int8)
    return LabelledFrame("a/0", np.zeros((*array.shape, 3), np.uint8), array)


def test_reads_labelled_frames_of_all_scenes(tmp_path: Path) -> None:
    write_homes(tmp_path, scenes=2, frames=3)
    scenes = scenes_of([tmp_path], "training")
    (scenes[1] / "label" / "000001.png").unlink()
    (scenes[1] / "color" / "000002.png").write_bytes(b"half written")
    (tmp_path / "training" / "begun" / "color").mkdir(parents=True)
    assert scenes_of([tmp_path], "training") == scenes
    (tmp_path / "training").rename(tmp_path / "train")
    assert [s.name for s in scenes_of([tmp_path], "training")] == ["home0", "home1"]
    (tmp_path / "train").rename(tmp_path / "training")
    calls: list[int] = []
    lost: list[str] = []
    (scenes[0] / "label" / "000000.png").rename(scenes[0] / "kept.png")
    (scenes[0] / "label" / "000000.png").write_bytes(b"half written")
    assert "home0/000000" not in {f.name for f in read_frames(scenes, LABELS, on_lost=lost.append)}
    assert len(lost) == 1 and "2 frames or labels cannot be read and are left out, e.g. " in lost[0]
    (scenes[0] / "kept.png").rename(scenes[0] / "label" / "000000.png")
    frames = read_frames(scenes, LABELS, on_progress=lambda: calls.append(1))
    assert [f.name for f in frames] == ["home0/000000", "home0/000001", "home0/000002", "home1/000000"]
    assert len(calls) == 2 and frames[0].index.dtype == np.int8
    assert frames[0].index[0, 0] == LABELS.index_of("wall") and frames[0].index[-1, 0] == LABELS.index_of("floor")
    only = read_frames(scenes, LABELS, only=["home1/000000", "home0/000002"])
    assert {f.name for f in only} == {"home1/000000", "home0/000002"}


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no scene in .*train: expected.*generate homes"):
        scenes_of([tmp_path], "training")
    write_homes(tmp_path)
    scenes = scenes_of([tmp_path], "training")
    with pytest.raises(DataError, match="1 frames that the run began with are gone"):
        read_frames(scenes, LABELS, only=["home0/000000", "home9/000000"])
    for label in (tmp_path / "training").glob("*/label/*"):
        label.unlink()
    with pytest.raises(DataError, match="no frame has a label image"):
        read_frames(scenes, LABELS)


def test_scenes_of_several_folders(tmp_path: Path) -> None:
    write_homes(tmp_path / "a", scenes=1)
    write_scene(tmp_path / "b" / "train" / "another", 1, 0)
    both = [tmp_path / "a", tmp_path / "b"]
    write_scene(tmp_path / "b" / "train" / ".half.part", 1, 0)  # the generator is writing it
    assert [s.name for s in scenes_of(both, "training")] == ["another", "home0"]
    assert [s.name for s in scenes_of(both, "validation")] == ["home100"]
    write_scene(tmp_path / "b" / "train" / "home0", 1, 0)
    with pytest.raises(DataError, match="two scenes of one name"):
        scenes_of(both, "training")


def test_shares_by_hand() -> None:
    shares = class_shares([frame([[0, 0], [1, -1]]), frame([[2, 2], [2, 2]]), frame([[-1]])], 3)
    assert shares == pytest.approx(np.array([[2 / 3, 1 / 3, 0], [0, 0, 1], [0, 0, 0]]))


def test_repeat_factors_by_hand() -> None:
    shares = np.array([[0.995, 0.005], [0.985, 0.015]])  # class 1 fills 1% on average
    assert repeat_factors(shares, threshold=0.02) == pytest.approx(
        [1.0, np.sqrt(2)]
    )  # the first has less than 1% of it


def test_loss_weights_by_hand() -> None:
    shares = np.array([[0.9, 0.1, 0.0]])
    assert loss_weights(shares, 0.0) == pytest.approx([1, 1, 1])
    weights = loss_weights(shares, 0.5)
    assert weights[1] / weights[0] == pytest.approx(3.0)  # sqrt(0.9 / 0.1), below the limit
    assert (weights * shares[0])[:2].sum() == pytest.approx(1.0)


def test_every_frame_is_drawn_by_its_factor() -> None:
    order = DrawOrder(np.array([1.0, 1.0, 2.0, 1.5]), seed=3)
    draws = Counter(order.frame_of(n) for n in range(6 * 100))  # rounds of ceil(5.5) = 6
    assert draws[2] == pytest.approx(2 * draws[0], rel=0.1) and draws[3] == pytest.approx(1.5 * draws[1], rel=0.1)
    plain = DrawOrder(np.ones(5), seed=0)
    rounds = [[plain.frame_of(5 * r + i) for i in range(5)] for r in range(4)]
    assert all(sorted(r) == list(range(5)) for r in rounds) and len({tuple(r) for r in rounds}) > 1


def test_a_draw_depends_on_its_number_alone() -> None:
    a, b = DrawOrder(np.ones(7), seed=1), DrawOrder(np.ones(7), seed=1)
    forward = [a.frame_of(n) for n in range(30)]
    assert [b.frame_of(n) for n in reversed(range(30))] == forward[::-1]
