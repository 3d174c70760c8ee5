"""Reader of PartNet's HDF5 releases (Mo et al. 2019), many shapes a file: ins_seg_h5 and sem_seg_h5.

ins_seg_h5  CATEGORY/train-00.h5 with `pts` [S, N, 3] and `label` [S, N], leaf parts; train-00.json beside it lists
            the leaves of every part of every shape (`ins_seg`: part_name, leaf_id_list)
sem_seg_h5  CATEGORY-LEVEL/train-00.h5 with `data` [S, N, 3] and `label_seg` [S, N], 0 = none of the level's parts; the
            names are in PartNet's CATEGORY-level-LEVEL.txt (`id path/of/part kind` lines)

Written from the files' published description. Needs h5py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.datasets.partnet import UNLABELLED, LabelledCloud, read_semantics
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError


def read_partnet_h5(path: str | Path, semantics: str | Path | None = None) -> Iterator[LabelledCloud]:
    """The shapes of one .h5 file, in its order.

    semantics  the part names of a sem_seg_h5 file; without it they are part1, part2 ...
    Raises DataError in one line.
    """
    path = Path(path)
    if not path.is_file():
        raise missing_data(path, "partnet", "a .h5 file of ins_seg_h5 or sem_seg_h5")
    try:
        import h5py
    except ImportError as error:
        raise DataError(f'{path}: HDF5 files need h5py: pip install "sem_field_ros[train]"') from error
    names = read_semantics(Path(semantics)) if semantics else {}
    try:
        with h5py.File(path, "r") as file:
            if "pts" in file and "label" in file:
                yield from _instances(path, file["pts"], file["label"])
            elif "data" in file and "label_seg" in file:
                yield from _semantic(path, file["data"], file["label_seg"], names)
            else:
                raise DataError(f"{path}: neither pts and label nor data and label_seg, but {', '.join(file)}")
    except OSError as error:
        raise DataError(f"{path} cannot be read as HDF5 ({error})") from error


def _instances(path: Path, points: Any, leaves: Any) -> Iterator[LabelledCloud]:
    described = path.with_suffix(".json")
    try:
        shapes = json.loads(described.read_text(encoding="utf-8"))
        parts = [[(str(p["part_name"]), [int(i) for i in p["leaf_id_list"]]) for p in s["ins_seg"]] for s in shapes]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{described}: expected part_name and leaf_id_list of every part ({error!r})") from error
    _check(path, points, leaves, described, len(parts))
    for i, shape in enumerate(parts):
        names = tuple(dict.fromkeys(name for name, _ in shape))
        leaf = leaves[i].astype(np.int64)
        labels, instances = np.full(leaf.shape, UNLABELLED, np.int16), np.full(leaf.shape, -1, np.int32)
        # coarse parts first: the finest that has a leaf keeps it
        for number, (name, ids) in sorted(enumerate(shape), key=lambda part: part[1][0].count("/")):
            inside = np.isin(leaf, ids)
            labels[inside], instances[inside] = names.index(name), number
        yield _used(points[i].astype(np.float64), labels, instances, names)


def _semantic(path: Path, points: Any, labels: Any, name_of: dict[int, str]) -> Iterator[LabelledCloud]:
    _check(path, points, labels, path, len(points))
    for i in range(len(points)):
        ids = labels[i].astype(np.int64)
        highest = max([int(ids.max(initial=0)), *name_of])
        names = tuple(name_of.get(number, f"part{number}") for number in range(1, highest + 1))
        index = np.where(ids > 0, ids - 1, UNLABELLED).astype(np.int16)
        yield _used(points[i].astype(np.float64), index, np.full(ids.shape, -1, np.int32), names)


def _used(points: np.ndarray, labels: np.ndarray, instances: np.ndarray, names: tuple[str, ...]) -> LabelledCloud:
    """A cloud with the names of parts that have points."""
    used = np.unique(labels[labels >= 0])
    table = np.full(len(names) + 1, UNLABELLED, np.int16)  # the last entry is that of UNLABELLED
    table[used] = np.arange(len(used))
    return LabelledCloud(points, table[labels], instances, tuple(names[i] for i in used))


def _check(path: Path, points: Any, labels: Any, described: Path, shapes: int) -> None:
    if points.ndim != 3 or points.shape[2] != 3 or labels.shape != points.shape[:2]:
        raise DataError(f"{path}: points {points.shape} and labels {labels.shape} do not fit each other")
    if shapes != len(points):
        raise DataError(f"{described} describes {shapes} shapes, {path.name} has {len(points)}")
