"""ScanNet: exported frames, scannet_frames_25k and .sens files with values known by hand; raw ids and their table."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.datasets.scannet import ScanNetFrames, ScanNetSens
from sem_field_ros.errors import DataError, LabelSetError
from sem_field_ros.geometry.ply import write_ply

from . import known_view as view

COLOR, DEPTH = (48, 32), (24, 16)  # width, height
K_COLOR = np.array([[40.0, 0, 23.5, 0], [0, 40, 15.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
K_DEPTH = np.array([[20.0, 0, 11.5, 0], [0, 20, 7.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # the same camera at half size
ROWS = ("id raw_category nyu40id", "1 wall 1", "22 ceiling 22", "1163 object 40", "2 chair 5")
TABLE = "\n".join(row.replace(" ", "\t") for row in ROWS) + "\n"


def _depth(number: int) -> np.ndarray:
    depth = np.full(DEPTH[::-1], 2000 + number, np.uint16)
    depth[0, 0], depth[0, 1] = 0, 65535
    return depth


def _raw_labels() -> np.ndarray:
    labels = np.full(COLOR[::-1], 2, np.uint16)  # chair
    labels[0, :4] = (0, 1, 22, 1163)
    return labels


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """As SensReader writes it: unpadded names, 4x4 intrinsics; raw labels and the table above the scans."""
    scan = tmp_path / "scans" / "scene0000_00"
    for i in (0, 2, 10):
        view.write_image(scan / "color" / f"{i}.jpg", view.picture(i % 7, *COLOR[::-1]))
        view.write_image(scan / "depth" / f"{i}.png", _depth(i))
        view.write_matrix(scan / "pose" / f"{i}.txt", view.pose_at(0.1 * i))
        view.write_image(scan / "label-filt" / f"{i}.png", _raw_labels())
    view.write_matrix(scan / "intrinsic" / "intrinsic_color.txt", K_COLOR)
    view.write_matrix(scan / "intrinsic" / "intrinsic_depth.txt", K_DEPTH)
    view.write_text(tmp_path / "scannetv2-labels.combined.tsv", TABLE)
    return scan


def _names(sequence, frame) -> list[str | None]:
    index = sequence.labels.to_index(frame.labels)
    return [sequence.labels.names[i] if i >= 0 else None for i in index[0, :5]]


def test_exported_frames(exported: Path) -> None:
    sequence = open_sequence(exported)
    assert isinstance(sequence, ScanNetFrames) and sequence.name == "scene0000_00" and sequence.has_labels
    frames = list(sequence)
    assert [frame.name for frame in frames] == ["0", "2", "10"]  # by number, not by name
    frame = frames[2]
    assert np.abs(frame.color[0, 2].astype(int) - view.picture(3)[0, 0]).max() < 12  # JPEG
    assert (frame.camera.fx, frame.camera.cx, frame.camera.width) == (40, 23.5, 48)
    assert frame.depth is not None and frame.depth[0, 0] == frame.depth[0, 1] == 0
    expected = [1 + 2.01, 2 - 2.01 * (4 - 11.5) / 20, 1.5 - 2.01 * (3 - 7.5) / 20]
    np.testing.assert_allclose(view.world_point(frame, 3, 4), expected, atol=1e-5)
    assert _names(sequence, frame) == [None, "wall", None, None, "chair"]  # ceiling is not one of the 20


def test_raw_ids_as_nyu40(exported: Path) -> None:
    sequence = open_sequence(exported, label_set="nyu40")
    assert _names(sequence, sequence.read(0)) == [None, "wall", "ceiling", "otherprop", "chair"]
    with pytest.raises(LabelSetError, match="scannet20 or nyu40, not voc"):
        open_sequence(exported, label_set="voc")


def test_without_the_table_the_frames_are_read_without_labels_and_it_is_noted(exported: Path) -> None:
    (exported.parents[1] / "scannetv2-labels.combined.tsv").unlink()
    sequence = open_sequence(exported)
    frames, errors = view.frames_and_errors(sequence)
    assert len(frames) == 3 and not errors and all(frame.labels is None for frame in frames)
    problem = sequence.label_problems[frames[0].name]
    assert len(sequence.label_problems) == 3
    assert "scannetv2-labels.combined.tsv" in problem and "scan-net.org" in problem


def test_a_table_that_is_none(exported: Path) -> None:
    (exported.parents[1] / "scannetv2-labels.combined.tsv").write_text("id\tname\n1\twall\n")
    sequence = open_sequence(exported)
    frames, _ = view.frames_and_errors(sequence)
    assert "'id' and 'nyu40id'" in sequence.label_problems[frames[0].name]


def test_frames_25k(exported: Path) -> None:
    """scannet_frames_25k: six digits, intrinsics beside the folders, 8-bit labels that are NYU-40 ids already."""
    scene = exported.parents[1] / "scannet_frames_25k" / "scene0001_00"
    view.write_image(scene / "color" / "000100.jpg", view.picture(1, *COLOR[::-1]))
    view.write_image(scene / "depth" / "000100.png", _depth(1))
    view.write_matrix(scene / "pose" / "000100.txt", view.pose_at(1.0))
    labels = np.full((32, 48), 5, np.uint8)
    labels[0, :4] = (0, 1, 22, 39)
    view.write_image(scene / "label" / "000100.png", labels)
    view.write_matrix(scene / "intrinsics_color.txt", K_COLOR)
    view.write_matrix(scene / "intrinsics_depth.txt", K_DEPTH)
    sequence = open_sequence(scene)
    assert isinstance(sequence, ScanNetFrames) and len(sequence) == 1
    frame = sequence.read(0)
    assert frame.name == "000100" and _names(sequence, frame) == [None, "wall", None, "other furniture", "chair"]


def test_depth_of_another_focal_length_is_resampled_to_the_colour_camera(exported: Path) -> None:
    """A depth camera with half the field of view fills only the middle; the ray of a pixel keeps its depth."""
    K = K_DEPTH.copy()
    K[0, 0] = K[1, 1] = 40.0
    view.write_matrix(exported / "intrinsic" / "intrinsic_depth.txt", K)
    depth = np.tile(np.arange(1000, 1000 + 10 * DEPTH[0], 10, dtype=np.uint16), (DEPTH[1], 1))
    view.write_image(exported / "depth" / "0.png", depth)
    frame = open_sequence(exported).read(0)
    # x / z = (14 - 11.5) / 20 = 0.125 in the colour camera -> column 11.5 + 0.125 * 40 = 16.5 of the stored image
    assert frame.depth is not None and frame.depth[7, 14] == pytest.approx((1.16 + 1.17) / 2, abs=0.0051)
    assert (frame.depth[:, :5] == 0).all() and (frame.depth[7, 6:18] > 0).all()


def test_invalid_poses_and_missing_files(exported: Path) -> None:
    view.write_text(exported / "pose" / "2.txt", "-inf " * 16)  # ScanNet's mark for a lost camera
    (exported / "depth" / "10.png").unlink()
    sequence = open_sequence(exported)
    assert sequence.drops == {"missing_files": 1}
    frames, errors = view.frames_and_errors(sequence)
    assert [frame.name for frame in frames] == ["0"] and "frame 2" in errors[0] and "finite" in errors[0]


def test_the_scans_labelled_mesh(exported: Path) -> None:
    sequence = open_sequence(exported)
    assert sequence.read_mesh() is None
    columns = {axis: np.arange(3, dtype=np.float32) for axis in "xyz"} | {"label": np.array([1, 5, 0], np.uint16)}
    write_ply(exported / "scene0000_00_vh_clean_2.labels.ply", columns, np.array([[0, 1, 2]]))
    vertices, faces, labels = sequence.read_mesh()
    assert vertices.tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]] and faces.tolist() == [[0, 1, 2]]
    assert labels.tolist() == [1, 5, 0]


def write_sens(path: Path, count: int = 3, depth_kind: int = 1, color_kind: int = 2, stamps: bool = True) -> None:
    """A .sens file by its description: header, frames, and the inertial data at the end that are not read."""
    name = b"StructureSensor"
    content = struct.pack("<IQ", 4, len(name)) + name
    for matrix in (K_COLOR, np.eye(4), K_DEPTH, np.eye(4)):
        content += matrix.astype("<f4").tobytes()
    content += struct.pack("<iiIIII", color_kind, depth_kind, *COLOR, *DEPTH) + struct.pack("<fQ", 1000.0, count)
    for i in range(count):
        image = np.ascontiguousarray(view.picture(i, *COLOR[::-1])[..., ::-1])
        color = cv2.imencode(".jpg", image)[1].tobytes() if color_kind == 2 else view.picture(i, *COLOR[::-1]).tobytes()
        depth = _depth(i).astype("<u2").tobytes()
        depth = zlib.compress(depth) if depth_kind == 1 else depth
        content += view.pose_at(0.5 * i).astype("<f4").tobytes()
        content += struct.pack("<QQQQ", 1_000_000 + 33_333 * i if stamps else 0, 0, len(color), len(depth))
        content += color + depth
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content + struct.pack("<Q", 1) + bytes(136))


def test_sens(tmp_path: Path) -> None:
    scan = tmp_path / "scene0002_00"
    write_sens(scan / "scene0002_00.sens")
    for sequence in (open_sequence(scan), open_sequence(scan / "scene0002_00.sens")):
        assert isinstance(sequence, ScanNetSens) and sequence.labels is None and sequence.name == "scene0002_00"
        assert sequence.stamps_ns == [1_000_000_000, 1_033_333_000, 1_066_666_000]
    frame = list(sequence)[2]
    assert frame.name == "000002" and np.abs(frame.color[0, 2].astype(int) - view.picture(2)[0, 0]).max() < 12
    np.testing.assert_allclose(frame.T_world_camera, view.pose_at(1.0), atol=1e-6)
    expected = [1 + 2.002, 2 - 2.002 * (4 - 11.5) / 20, 1.5 - 2.002 * (3 - 7.5) / 20]
    np.testing.assert_allclose(view.world_point(frame, 3, 4), expected, atol=1e-5)
    assert frame.depth is not None and frame.depth[0, 0] == frame.depth[0, 1] == 0


def test_sens_raw_pictures_labels_and_unset_clocks(tmp_path: Path) -> None:
    write_sens(tmp_path / "a.sens", depth_kind=0, color_kind=0, stamps=False)
    view.write_text(tmp_path / "scannetv2-labels.combined.tsv", TABLE)
    view.write_image(tmp_path / "label-filt" / "1.png", _raw_labels())
    sequence = open_sequence(tmp_path / "a.sens")
    assert sequence.stamps_ns == [round((i + 1) * 1e9 / 30) for i in range(3)]
    frames = list(sequence)
    np.testing.assert_array_equal(frames[1].color, view.picture(1, *COLOR[::-1]))
    assert [frame.labels is None for frame in frames] == [True, False, True]
    assert _names(sequence, frames[1]) == [None, "wall", None, None, "chair"]


def test_sens_that_is_cut_short_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.sens"
    write_sens(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    sequence = ScanNetSens(path)
    assert len(sequence) == 2 and sequence.drops == {"cut_short": 1} and len(list(sequence)) == 2
    damaged = bytearray(whole)
    start = ScanNetSens(path)._sens.frames[1]
    damaged[start.offset : start.offset + start.color_bytes + start.depth_bytes] = bytes(
        start.color_bytes + start.depth_bytes
    )
    path.write_bytes(damaged)
    frames, errors = view.frames_and_errors(ScanNetSens(path))
    assert (
        [frame.name for frame in frames] == ["000000", "000002"]
        and "frame 1 (" in errors[0]
        and "not a readable image" in errors[0]
    )
    for content, message in ((b"", "not a .sens file"), (b"\x07" * 400, "version 4"), (whole[:250], "not a .sens")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message) as error:
            open_sequence(path)
        assert "\n" not in str(error.value)
    write_sens(path, depth_kind=2)
    _, errors = view.frames_and_errors(ScanNetSens(path))
    assert len(errors) == 3 and "'occi' is not read" in errors[0]
