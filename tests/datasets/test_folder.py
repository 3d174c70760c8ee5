"""The folder format: what is read, what is skipped, and one clear line for everything that is wrong."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.errors import DataError, FrameError, LabelSetError
from sem_field_ros.resources import resource_root

S = 1_000_000_000


@pytest.fixture
def folder(tmp_path):
    """Five frames 000000, 000002, ... with depth and labels; frame i is at x = i."""
    for name in ("color", "depth", "pose", "label"):
        (tmp_path / name).mkdir()
    for i in range(5):
        stem = f"{2 * i:06d}"
        color = np.full((6, 8, 3), (10 * i, 100, 200), np.uint8)  # BGR
        depth = np.array([[0, 1000 + i], [65535, 65534]], np.uint16)
        pose = np.eye(4)
        pose[0, 3] = i
        assert cv2.imwrite(str(tmp_path / f"color/{stem}.png"), color)
        assert cv2.imwrite(str(tmp_path / f"depth/{stem}.png"), depth)
        assert cv2.imwrite(str(tmp_path / f"label/{stem}.png"), np.full((3, 4), i, np.uint8))
        np.savetxt(tmp_path / f"pose/{stem}.txt", pose)
    np.savetxt(tmp_path / "intrinsics.txt", [[5.0, 0, 3.5], [0, 5, 2.5], [0, 0, 1]])
    return tmp_path


def test_frames_are_read_as_they_are(folder):
    sequence = FolderSequence(folder)
    frames = list(sequence)
    assert len(sequence) == len(frames) == 5 and sequence.skipped == 0
    frame = frames[3]
    assert frame.name == "000006" and frame.T_world_camera[0, 3] == 3
    np.testing.assert_array_equal(frame.color[0, 0], [200, 100, 30])
    np.testing.assert_allclose(frame.depth, [[0, 1.003], [0, 65.534]], rtol=1e-6)
    np.testing.assert_array_equal(frame.labels, np.full((3, 4), 3))
    assert (frame.camera.fx, frame.camera.width, frame.camera.height) == (5, 8, 6)
    assert frame.depth_camera.width == 2
    assert [f.name for f in sequence] == [f.name for f in frames]  # it can be iterated again


def test_numbers_are_places_in_time(folder):
    """Every second frame of a 30 Hz recording: 15 Hz; no stamp is 0."""
    stamps = FolderSequence(folder).stamps_ns
    assert stamps == [round((2 * i + 1) * S / 30) for i in range(5)]
    (folder / "meta.json").write_text('{"fps": 10}')
    assert FolderSequence(folder).stamps_ns[1] == round(0.3 * S)


def test_times_are_known_from_stamps_or_a_rate(folder):
    assert not FolderSequence(folder).times_known
    (folder / "meta.json").write_text('{"fps": 10}')
    assert FolderSequence(folder).times_known
    (folder / "meta.json").unlink()
    (folder / "timestamps.txt").write_text("1\n2\n3\n4\n5\n")
    assert FolderSequence(folder).times_known


def test_names_that_are_no_frame_numbers_give_the_order(folder):
    for kind in ("color", "depth", "pose", "label"):
        for file in sorted((folder / kind).iterdir()):
            file.rename(file.with_name(f"1305031102{file.name}"))  # a clock, not a count
    assert FolderSequence(folder).stamps_ns == [round((i + 1) * S / 30) for i in range(5)]


def test_timestamps_file_rules(folder):
    lines = [f"{2 * i:06d} {100 - i}.123456789" for i in range(5)]
    (folder / "timestamps.txt").write_text("# stem seconds\n" + "\n".join(lines) + "\n")
    sequence = FolderSequence(folder)
    assert sequence.stamps_ns == [(96 + i) * S + 123456789 for i in range(5)]
    assert [f.name for f in sequence] == ["000008", "000006", "000004", "000002", "000000"]
    (folder / "timestamps.txt").write_text("\n".join(f"{i}.5" for i in range(5)))
    assert FolderSequence(folder).stamps_ns == [i * S + S // 2 for i in range(5)]


def test_start_and_duration_cut_half_open(folder):
    (folder / "timestamps.txt").write_text("\n".join(str(i) for i in range(10, 15)))
    cut = FolderSequence(folder, start_s=1.0, duration_s=2.0)
    assert cut.stamps_ns == [11 * S, 12 * S]
    with pytest.raises(DataError, match="no frame between"):
        FolderSequence(folder, start_s=99)


def test_incomplete_frames_are_skipped_and_counted(folder):
    (folder / "pose/000000.txt").unlink()
    (folder / "depth/000002.png").unlink()
    (folder / "label/000004.png").unlink()
    sequence = FolderSequence(folder)
    assert [f.name for f in sequence] == ["000004", "000006", "000008"]
    assert sequence.drops == {"missing_pose": 1, "missing_depth": 1} and sequence.skipped == 2
    assert [f.labels is None for f in sequence] == [True, False, False]


def test_depth_and_labels_may_be_missing_altogether(folder):
    for kind in ("depth", "label"):
        for file in (folder / kind).iterdir():
            file.unlink()
        (folder / kind).rmdir()
    sequence = FolderSequence(folder)
    assert sequence.labels is None and not sequence.has_depth
    assert all(f.depth is None and f.labels is None for f in sequence)


def test_label_set_from_argument_meta_and_default(folder):
    assert FolderSequence(folder).labels.name == "scannet20"
    (folder / "meta.json").write_text(json.dumps({"label_set": "voc"}))
    assert FolderSequence(folder).labels.name == "voc"
    assert FolderSequence(folder, label_set="nyu40").labels.name == "nyu40"
    with pytest.raises(LabelSetError):
        FolderSequence(folder, label_set="nonsense")


def test_iteration_goes_on_after_a_bad_frame(folder):
    (folder / "color/000002.png").write_bytes(b"no image")
    cv2.imwrite(str(folder / "depth/000004.png"), np.zeros((2, 2), np.uint8))
    (folder / "pose/000006.txt").write_text("nan " * 16)
    sequence = iter(FolderSequence(folder))
    names, errors = [], []
    while True:
        try:
            frame = next(sequence, None)
        except (DataError, FrameError) as error:
            errors.append(str(error))
            continue
        if frame is None:
            break
        names.append(frame.name)
    assert names == ["000000", "000008"]
    assert ["is not a readable image" in errors[0], "16-bit" in errors[1], "000006" in errors[2]] == [True] * 3


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("intrinsics.txt", "1 2 3", "intrinsics.txt has 3 numbers: expected a 3x3"),
        ("intrinsics.txt", None, "intrinsics.txt cannot be read (No such file"),
        ("meta.json", "{", "meta.json cannot be read"),
        ("meta.json", "[1]", "must hold an object"),
        ("meta.json", '{"fps": 0}', "fps must be a number above 0"),
        ("meta.json", '{"fps": "fast"}', "fps must be a number above 0"),
        ("timestamps.txt", "1\n2", "2 lines for 5 colour images"),
        ("timestamps.txt", "000000 1", "no line for 000002"),
        ("timestamps.txt", "000000 one", "expected a time in seconds, got 'one'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder, file, content, message):
    (folder / file).unlink(missing_ok=True)
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(DataError) as error:
        FolderSequence(folder)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_not_a_sequence(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        open_sequence(tmp_path / "nowhere")
    with pytest.raises(DataError, match="not a sequence folder"):
        open_sequence(tmp_path)


def test_the_bundled_sample_is_read():
    sequence = open_sequence(resource_root() / "samples" / "room")
    assert len(sequence) == 40 and sequence.labels.name == "scannet20"
    frame = next(iter(sequence))
    assert frame.stamp_ns == 100 * S and frame.color.shape == (240, 320, 3)
    assert frame.depth.max() > 1 and set(np.unique(frame.labels)) & set(sequence.labels.ids)
