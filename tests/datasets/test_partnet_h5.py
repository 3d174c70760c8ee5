"""PartNet's HDF5 files: tiny ones made here in the published layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.partnet_h5 import read_partnet_h5
from sem_field_ros.errors import DataError

h5py = pytest.importorskip("h5py", reason="needs the extra train")
POINTS = np.arange(24, dtype=np.float32).reshape(2, 4, 3)


def write_h5(path: Path, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip")
    return path


def test_instances_take_the_finest_part_that_has_their_leaf(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "train-00.h5", pts=POINTS, label=np.array([[3, 4, 9, 0], [1, 1, 1, 1]], np.int32))
    chair = [
        {"part_name": "chair/base/leg", "leaf_id_list": [3]},
        {"part_name": "chair/base/leg", "leaf_id_list": [4]},
        {"part_name": "chair/base", "leaf_id_list": [3, 4, 9]},
        {"part_name": "chair/head", "leaf_id_list": [77]},
    ]
    shapes = [{"ins_seg": chair}, {"ins_seg": [{"part_name": "chair", "leaf_id_list": [1]}]}]
    (tmp_path / "train-00.json").write_text(json.dumps(shapes))
    first, second = read_partnet_h5(path)
    assert first.names == ("chair/base/leg", "chair/base")
    assert first.labels.tolist() == [0, 0, 1, -1] and first.instances.tolist() == [0, 1, 2, -1]
    np.testing.assert_array_equal(first.points, POINTS[0])
    assert second.names == ("chair",) and second.labels.tolist() == [0, 0, 0, 0]
    coarse = first.at_level(1)
    assert coarse.names == ("chair/base",) and coarse.labels.tolist() == [0, 0, 0, -1]
    (tmp_path / "train-00.json").write_text(json.dumps(shapes[:1]))
    with pytest.raises(DataError, match="describes 1 shapes, train-00.h5 has 2"):
        list(read_partnet_h5(path))
    (tmp_path / "train-00.json").unlink()
    with pytest.raises(DataError, match="train-00.json: expected part_name"):
        list(read_partnet_h5(path))


def test_semantic_labels_count_from_one(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "val-00.h5", data=POINTS, label_seg=np.array([[0, 2, 2, 1], [3, 3, 0, 0]], np.uint8))
    plain = list(read_partnet_h5(path))
    assert plain[0].names == ("part1", "part2") and plain[0].labels.tolist() == [-1, 1, 1, 0]
    assert plain[1].names == ("part3",) and plain[1].labels.tolist() == [0, 0, -1, -1]
    names = tmp_path / "Chair-level-1.txt"
    names.write_text("1 chair/head leaf\n2 chair/back leaf\n3 chair/arm leaf\n")
    named = list(read_partnet_h5(path, names))
    assert named[0].names == ("chair/head", "chair/back") and named[1].names == ("chair/arm",)
    assert named[0].instances.tolist() == [-1] * 4


def test_what_is_no_partnet_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    cases = [
        (tmp_path / "nothing.h5", "get it from"),
        (tmp_path / "text.h5", "cannot be read as HDF5"),
        (write_h5(tmp_path / "other.h5", a=POINTS), "neither pts and label"),
        (write_h5(tmp_path / "odd.h5", data=POINTS, label_seg=np.zeros((2, 5))), "do not fit each other"),
    ]
    for path, message in cases:
        with pytest.raises(DataError, match=message) as error:
            list(read_partnet_h5(path))
        assert "\n" not in str(error.value)
