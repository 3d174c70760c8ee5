"""7-Scenes, TUM RGB-D and Replica: three frames written in each format are read back with values known by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.open_sequence import DATASETS, open_sequence
from sem_field_ros.datasets.replica import ReplicaSequence
from sem_field_ros.datasets.seven_scenes import SevenScenesSequence
from sem_field_ros.datasets.sources import SOURCES
from sem_field_ros.datasets.tum import TumSequence
from sem_field_ros.errors import DataError

from . import known_view as view

S = 1_000_000_000


@pytest.fixture
def seven_scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "redkitchen" / "seq-01"
    for i in (0, 1, 3):
        stem = folder / f"frame-{i:06d}"
        view.write_image(Path(f"{stem}.color.png"), view.picture(i, 480, 640))
        depth = np.full((480, 640), 2000 + i, np.uint16)
        depth[0, 0] = 65535
        view.write_image(Path(f"{stem}.depth.png"), depth)
        view.write_matrix(Path(f"{stem}.pose.txt"), view.pose_at(float(i)))
    return folder


def test_seven_scenes(seven_scenes: Path) -> None:
    sequence = open_sequence(seven_scenes)
    assert isinstance(sequence, SevenScenesSequence) and sequence.labels is None and len(sequence) == 3
    assert sequence.has_depth and not sequence.times_known
    frames = list(sequence)
    frame = frames[2]
    assert frame.name == "frame-000003" and frame.stamp_ns == round(4 * S / 30)  # numbers are places at 30 Hz
    np.testing.assert_array_equal(frame.color[0, 0], view.picture(3)[0, 0])
    assert frame.depth is not None and frame.depth[0, 0] == 0 and frame.depth[5, 5] == pytest.approx(2.003)
    assert (frame.camera.fx, frame.camera.cx, frame.camera.cy) == (585, 320, 240)
    # the pixel 58.5 right of and 117 below the principal point: 0.1 and 0.2 of the depth
    point = view.world_point(frame, 357, 378)
    np.testing.assert_allclose(point, [3 + 2.003, 2 - 2.003 * 58 / 585, 1.5 - 2.003 * 117 / 585], atol=1e-5)


def test_seven_scenes_incomplete_frames_and_the_scene_folder(seven_scenes: Path) -> None:
    (seven_scenes / "frame-000001.pose.txt").unlink()
    (seven_scenes / "frame-000000.color.png").write_bytes(b"no image")
    sequence = SevenScenesSequence(seven_scenes)
    assert sequence.drops == {"missing_files": 1} and sequence.skipped == 1
    frames, errors = view.frames_and_errors(sequence)
    assert [frame.name for frame in frames] == ["frame-000003"] and "is not a readable image" in errors[0]
    with pytest.raises(DataError, match="name one sequence of it: seq-01"):
        SevenScenesSequence(seven_scenes.parent)


def _tum(folder: Path, size: tuple[int, int] = (640, 480)) -> Path:
    """Three frames; poses at 0.95, 1.05 ... s, so that a frame lies between two; the third has no depth in time."""
    width, height = size
    names = {"rgb": [], "depth": []}
    for i, (color_s, depth_s) in enumerate((("1.000000", "1.015000"), ("1.100000", "1.090000"), ("1.2", "1.230"))):
        image = view.picture(i, height, width)
        view.write_image(folder / "rgb" / f"{color_s}.png", image)
        depth = np.full((height, width), 10_000 + 500 * i, np.uint16)
        depth[:20] = 0
        view.write_image(folder / "depth" / f"{depth_s}.png", depth)
        names["rgb"].append(f"{color_s} rgb/{color_s}.png")
        names["depth"].append(f"{depth_s} depth/{depth_s}.png")
    for kind, lines in names.items():
        view.write_text(folder / f"{kind}.txt", f"# {kind} images\n# file: 'x'\n" + "\n".join(lines) + "\n")
    # quaternion (x y z w) of ROTATION: 120 degrees about (-1, 1, -1)
    rows = [f"{0.95 + 0.1 * k:.4f} {k}.0 2.0 1.5 -0.5 0.5 -0.5 0.5" for k in range(4)]
    view.write_text(folder / "groundtruth.txt", "# ground truth\n" + "\n".join(rows) + "\n")
    return folder


def test_tum(tmp_path: Path) -> None:
    sequence = open_sequence(_tum(tmp_path / "rgbd_dataset_freiburg3_office"))
    assert isinstance(sequence, TumSequence) and sequence.drops == {"unpaired_color": 1} and len(sequence) == 2
    assert sequence.has_depth and sequence.times_known
    frame = list(sequence)[1]
    assert frame.stamp_ns == 1_100_000_000 and frame.camera.fx == 535.4 and frame.camera.cy == 247.6
    np.testing.assert_array_equal(frame.color[0, 0], view.picture(1)[0, 0])
    assert frame.depth is not None and frame.depth[0, 0] == 0 and frame.depth[100, 100] == pytest.approx(2.1)  # / 5000
    np.testing.assert_allclose(frame.T_world_camera, view.pose_at(1.5), atol=1e-6)  # half-way from x = 1 to 2
    point = view.world_point(frame, 100, 100)
    expected = [1.5 + 2.1, 2 - 2.1 * (100 - 320.1) / 535.4, 1.5 - 2.1 * (100 - 247.6) / 539.2]
    np.testing.assert_allclose(point, expected, atol=1e-5)


def test_tum_lens_distortion_is_undone(tmp_path: Path) -> None:
    """A point drawn where the distorted lens puts it comes out where a pinhole sees it, in colour and in depth."""
    folder = _tum(tmp_path / "rgbd_dataset_freiburg1_xyz")
    K = np.array([[517.3, 0, 318.6], [0, 516.5, 255.3], [0, 0, 1]])
    distortion = np.array([0.2624, -0.9531, -0.0054, 0.0026, 1.1633])
    ray = np.array([[[0.45, -0.35, 1.0]]])
    distorted = cv2.projectPoints(ray, np.zeros(3), np.zeros(3), K, distortion)[0].reshape(2)
    straight = (K @ ray.reshape(3))[:2]
    assert np.linalg.norm(distorted - straight) > 3  # pixels: worth undoing
    image, depth = np.zeros((480, 640, 3), np.uint8), np.full((480, 640), 5000, np.uint16)
    cv2.circle(image, tuple(int(v) for v in distorted.round()), 2, (255, 255, 255), -1)
    cv2.circle(depth, tuple(int(v) for v in distorted.round()), 2, 15_000, -1)
    view.write_image(folder / "rgb" / "1.000000.png", image)
    view.write_image(folder / "depth" / "1.015000.png", depth)
    frame = next(iter(TumSequence(folder)))
    for seen in (frame.color[..., 0] > 128, frame.depth > 2):
        rows, columns = np.nonzero(seen)
        assert np.hypot(columns.mean() - straight[0], rows.mean() - straight[1]) < 1
    assert TumSequence(_tum(tmp_path / "my_own")).read(0).camera.fx == 525


def test_tum_poses_are_needed_near_in_time(tmp_path: Path) -> None:
    folder = _tum(tmp_path / "tum")
    view.write_text(folder / "groundtruth.txt", "0.9 0 0 0 0 0 0 1\n1.05 1 0 0 0 0 0 1\n1.12 2 0 0 0 0 0 1\n")
    sequence = TumSequence(folder)
    assert sequence.drops == {"missing_pose": 1, "unpaired_color": 1}  # 0.9 to 1.05 s is too far for a frame at 1.0 s
    assert sequence.read(0).T_world_camera[0, 3] == pytest.approx(1 + 5 / 7)
    view.write_text(folder / "groundtruth.txt", "1.0 0 0 0\n")
    with pytest.raises(DataError, match="tx ty tz qx qy qz qw"):
        TumSequence(folder)
    view.write_text(folder / "rgb.txt", "one rgb/1.png\n")
    with pytest.raises(DataError, match="rgb.txt: expected a time in seconds, got 'one'"):
        TumSequence(folder)


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    folder = tmp_path / "room_0" / "Sequence_1"
    rows = []
    for i in (0, 2, 10):  # sorted by number, not by name
        view.write_image(folder / "rgb" / f"rgb_{i}.png", view.picture(i % 7, 480, 640))
        view.write_image(folder / "depth" / f"depth_{i}.png", np.full((480, 640), 1500 + i, np.uint16))
        labels = np.full((480, 640), 93, np.uint8)  # wall
        labels[0, :3] = (0, 20, 77)  # void, chair, a class that replica19 has not
        view.write_image(folder / "semantic_class" / f"semantic_class_{i}.png", labels)
    for i in range(11):
        rows.append(" ".join(f"{value:.8f}" for value in view.pose_at(0.1 * i).reshape(-1)))
    view.write_text(folder / "traj_w_c.txt", "\n".join(rows) + "\n")
    return folder


def test_replica(replica: Path) -> None:
    sequence = open_sequence(replica)
    assert isinstance(sequence, ReplicaSequence) and sequence.labels is not None and sequence.has_labels
    frames = list(sequence)
    assert [frame.name for frame in frames] == ["rgb_0", "rgb_2", "rgb_10"]
    frame = frames[2]
    assert (frame.camera.fx, frame.camera.fy, frame.camera.cx, frame.camera.cy) == (320, 320, 319.5, 239.5)
    np.testing.assert_allclose(frame.T_world_camera, view.pose_at(1.0))
    index = sequence.labels.to_index(frame.labels)
    assert [sequence.labels.names[i] if i >= 0 else None for i in index[0, :4]] == [None, "chair", None, "wall"]
    expected = [1 + 1.51, 2 - 1.51 * (100 - 319.5) / 320, 1.5 - 1.51 * (200 - 239.5) / 320]
    np.testing.assert_allclose(view.world_point(frame, 200, 100), expected, atol=1e-5)


def test_replica_frames_without_a_pose_or_depth_are_left_out(replica: Path) -> None:
    (replica / "depth" / "depth_2.png").unlink()
    lines = (replica / "traj_w_c.txt").read_text().splitlines()
    view.write_text(replica / "traj_w_c.txt", "\n".join(lines[:5]))
    sequence = ReplicaSequence(replica, start_s=0.0, duration_s=5.0)
    assert [frame.name for frame in sequence] == ["rgb_0"] and sequence.drops == {"missing_files": 2}
    view.write_text(replica / "traj_w_c.txt", "1 2 3\n")
    with pytest.raises(DataError, match="3 numbers: expected rows of 16"):
        ReplicaSequence(replica)


@pytest.mark.parametrize("name", DATASETS)
def test_missing_data_says_where_to_get_it_in_one_line(name: str, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError) as error:
            open_sequence(f"{name}:{path}")
        text = str(error.value)
        assert "\n" not in text
        if name in SOURCES:
            assert SOURCES[name].url in text and SOURCES[name].terms in text
        else:
            assert str(path) in text and "docs/data.md" in text


def test_a_named_format_is_opened_as_such(replica: Path) -> None:
    assert isinstance(open_sequence(f"replica:{replica}"), ReplicaSequence)
    with pytest.raises(DataError, match="no 7-Scenes here"):
        open_sequence(f"7scenes:{replica}")


def test_cutting_by_time(seven_scenes: Path) -> None:
    assert [f.name for f in open_sequence(seven_scenes, start_s=0.05)] == ["frame-000003"]
    assert len(open_sequence(seven_scenes, duration_s=0.05)) == 2
    with pytest.raises(DataError, match="no frame between"):
        open_sequence(seven_scenes, start_s=9)
