"""Text files as people's tools write them: encodings, separators, comments, numbers, stamps; and names of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.files.names import counting_order, files_by_stem, numbered_files
from sem_field_ros.datasets.files.text import (
    is_number,
    read_intrinsics,
    read_json,
    read_matrix,
    read_pose,
    read_rows,
    stamp_ns,
)
from sem_field_ros.errors import DataError

ANYWHERE = Path("stamps.txt")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(end.join(["# Küche", "1 2", "", "3 4  # last", ""]).encode(encoding))
    assert read_rows(path) == [["1", "2"], ["3", "4"]]
    path.write_bytes('{"label_set": "voc"}'.encode(encoding))
    assert read_json(path) == {"label_set": "voc"}


@pytest.mark.parametrize(
    "text",
    ["1 0 0 2.5\n0 1 0 -3\n0 0 1 1e-1", "1,0,0,2.5\n0,1,0,-3\n0,0,1,0.1", "1; 0; 0; 2.5; 0; 1; 0; -3; 0; 0; 1; 0.1",
     "1,0 0,0 0,0 2,5\n0,0 1,0 0,0 -3,0\n0,0 0,0 1,0 1,0e-1", "% pose\n1 0 0 2.5 0 1 0 -3 0 0 1 .1 0 0 0 1"],
)  # fmt: skip
def test_poses(tmp_path: Path, text: str) -> None:
    (tmp_path / "pose.txt").write_text(text)
    np.testing.assert_allclose(
        read_pose(tmp_path / "pose.txt"), [[1, 0, 0, 2.5], [0, 1, 0, -3], [0, 0, 1, 0.1], [0, 0, 0, 1]]
    )


@pytest.mark.parametrize("text", ["5 0 3 0 6 4 0 0 1", "5 6 3 4", "5 0 3 0 0 6 4 0 0 0 1 0 0 0 0 1"])
def test_intrinsics(tmp_path: Path, text: str) -> None:
    (tmp_path / "K.txt").write_text(text)
    np.testing.assert_array_equal(read_intrinsics(tmp_path / "K.txt"), [[5, 0, 3], [0, 6, 4], [0, 0, 1]])


def test_what_is_wrong_names_the_value(tmp_path: Path) -> None:
    path = tmp_path / "pose.txt"
    with pytest.raises(DataError, match="pose.txt cannot be read"):
        read_pose(path)
    path.write_text("1 2 3 4 x 6")
    with pytest.raises(DataError, match="expected a number, got 'x'"):
        read_pose(path)
    path.write_text("1 2 3")
    with pytest.raises(DataError, match="3 numbers: expected a 4x4 or 3x4 matrix"):
        read_pose(path)
    with pytest.raises(DataError, match="3 numbers: expected a 2x2 matrix"):
        read_matrix(path, (2, 2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1305031102.175304", 1305031102_175304000),
        ("1.3050311021753e+09", 1305031102_175300000),
        ("1000,5", 1000_500000000),
        ("-1.25", -1_250000000),
        ("0", 0),
        ("1700000000123456789", 1700000000_123456789),  # nanoseconds
        ("1700000000123456", 1700000000_123456000),  # microseconds
        ("1700000000123", 1700000000_123000000),  # milliseconds
    ],
)
def test_stamps_are_exact(text: str, expected: int) -> None:
    assert stamp_ns(text, ANYWHERE) == expected


@pytest.mark.parametrize("text", ["one", "nan", "inf", "", "1.2.3"])
def test_what_is_no_stamp(text: str) -> None:
    assert text in ("nan", "inf") or not is_number(text)
    with pytest.raises(DataError, match="expected a time in seconds"):
        stamp_ns(text, ANYWHERE)


def test_names(tmp_path: Path) -> None:
    for name in ("f_10.PNG", "f_2.png", "f_1.JPG", "f_1.png", "._f_3.png", "f_4.txt", ".DS_Store", "x_7.png"):
        (tmp_path / name).write_bytes(b"")
    files, same = files_by_stem(tmp_path, (".png", ".jpg"))
    assert list(files) == ["f_1", "f_2", "f_10", "x_7"] and same == 1
    assert {n: p.name for n, p in numbered_files(tmp_path, "f_", (".png",)).items()} == {
        1: "f_1.png", 2: "f_2.png", 10: "f_10.PNG",
    }  # fmt: skip
    assert counting_order("2") < counting_order("10") < counting_order("a1") < counting_order("a12")
    assert files_by_stem(tmp_path / "nowhere", (".png",)) == ({}, 0)
