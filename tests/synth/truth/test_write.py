"""Sequences with hand-drawn labels: links to the recording, labels of some frames, registered depth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_synth.truth.polygons import ColorCamera, LabelPolygon, LabelPolygons
from sem_field_synth.truth.write import TruthWriter
from tests.datasets import known_view as view

LABELS = load_label_set("scannet20")
TABLE = LABELS.index_of("table")
TRIANGLE = LabelPolygon(TABLE, np.array([[2, 2], [9, 2], [2, 9]], np.int32))


@pytest.fixture
def recording(tmp_path: Path) -> FolderSequence:
    """Four frames of 16x12 without labels; depth 2 m."""
    folder = tmp_path / "recording"
    for i in range(4):
        view.write_image(folder / "color" / f"{i:06d}.png", view.picture(i))
        view.write_image(folder / "depth" / f"{i:06d}.png", np.full((12, 16), 2000, np.uint16))
        view.write_matrix(folder / "pose" / f"{i:06d}.txt", view.pose_at(float(i)))
    view.write_matrix(folder / "intrinsics.txt", np.array([[10.0, 0, 7.5], [0, 10, 5.5], [0, 0, 1]]))
    view.write_text(folder / "meta.json", '{"fps": 10}')
    return FolderSequence(folder)


def truth_of(*names: str, camera: ColorCamera | None = None, size: tuple[int, int] = (16, 12)) -> LabelPolygons:
    return LabelPolygons(LABELS, *size, dict.fromkeys(names, (TRIANGLE,)), camera)


def written(
    recording: FolderSequence, truth: LabelPolygons, out: Path, places: list[int] | None = None, register: bool = True
) -> FolderSequence:
    writer = TruthWriter(recording, truth, out, register)
    for place in range(len(recording)) if places is None else places:
        writer.write(place)
    writer.close("by hand")
    return FolderSequence(out)


def test_labels_of_some_frames_and_links_to_the_rest(recording: FolderSequence, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sequence = written(recording, truth_of("000001", "000003"), out)
    frames = list(sequence)
    assert [frame.labels is not None for frame in frames] == [False, True, False, True]
    assert sequence.labels is not None and sequence.labels.name == "scannet20"
    assert sequence.stamps_ns == recording.stamps_ns
    labels = frames[1].labels
    assert labels is not None and (labels[2, 2], labels[2, 9], labels[9, 2]) == (7, 7, 7)  # the table's id
    assert labels[9, 9] == 255
    for frame, original in zip(frames, recording, strict=True):
        np.testing.assert_array_equal(frame.color, original.color)
        assert frame.depth is not None and (frame.depth == 2).all()
        np.testing.assert_allclose(frame.T_world_camera, original.T_world_camera)
    assert (out / "color" / "000002.png").is_symlink() and (out / "depth" / "000002.png").is_symlink()
    assert json.loads((out / "meta.json").read_text()) == {"fps": 10, "label_set": "scannet20", "labelled": "by hand"}


def test_depth_registered_to_the_colour_camera(recording: FolderSequence, tmp_path: Path) -> None:
    T_color_depth = np.eye(4)
    T_color_depth[0, 3] = -0.4  # the colour camera is 0.4 m to the right: 10 px * 0.4 / 2 m = 2 px
    camera = ColorCamera(Intrinsics(10.0, 10.0, 7.5, 5.5, 16, 12), T_color_depth)
    truth = truth_of("000001", camera=camera)
    frame = written(recording, truth, tmp_path / "out", [1]).read(0)
    assert frame.depth is not None and (frame.depth[:, :14] == 2).all() and (frame.depth[:, 14:] == 0).all()
    # a point keeps its place in the world: what was at column 9 is at column 7
    original = recording.read(1)
    np.testing.assert_allclose(view.world_point(frame, 5, 7), view.world_point(original, 5, 9), atol=1e-6)
    assert not (tmp_path / "out" / "depth" / "000001.png").is_symlink()
    plain = written(recording, truth, tmp_path / "plain", [1], register=False).read(0)
    assert plain.depth is not None and (plain.depth == 2).all()
    np.testing.assert_allclose(plain.T_world_camera, original.T_world_camera)


def test_labels_of_another_recording_are_refused(recording: FolderSequence, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no frame 000007: these labels are of another recording"):
        TruthWriter(recording, truth_of("000001", "000007"), tmp_path / "out")
    writer = TruthWriter(recording, truth_of("000001", size=(20, 12)), tmp_path / "out")
    with pytest.raises(DataError, match="frame 000001 is 16x12, its labels 20x12"):
        writer.write(1)


def test_two_sequences_never_mix(recording: FolderSequence, tmp_path: Path) -> None:
    written(recording, truth_of("000001"), tmp_path / "out")
    with pytest.raises(OutputError, match="already holds a sequence"):
        TruthWriter(recording, truth_of("000001"), tmp_path / "out")
