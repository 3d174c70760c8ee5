"""Reader of PartNet shapes (Mo et al. 2019): a point cloud with hierarchical part labels.

Two layouts: a shape's folder (point_sample/pts-10000.txt, label-10000.txt with a part instance a point, result.json
with the hierarchy), and NAME.pts, NAME-sem.label, NAME-ins.label with semantics.txt (`id path/of/part leaf` lines).
The HDF5 releases: partnet_h5.py.
Points are in the shape's own frame: y up, about one unit long.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError

UNLABELLED = -1


@dataclass(frozen=True)
class LabelledCloud:
    """Points of one object, by part.

    points     [N, 3] float64        labels  [N] int16, index into `names`, -1 = unlabelled
    instances  [N] int32, number of the part instance
    names      part names as paths, such as chair/chair_base/regular_leg_base/leg
    """

    points: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    names: tuple[str, ...]

    def at_level(self, level: int) -> LabelledCloud:
        """The same points by coarser parts: only the first `level` + 1 steps of each path (1: chair/chair_base)."""
        cut = ["/".join(name.split("/")[: level + 1]) for name in self.names]
        names = tuple(dict.fromkeys(cut))
        table = np.array([*(names.index(name) for name in cut), UNLABELLED], np.int16)
        return LabelledCloud(self.points, table[self.labels], self.instances, names)


def read_partnet(path: str | Path) -> LabelledCloud:
    """Read a shape: its folder, or its .pts file. Raises DataError in one line."""
    path = Path(path)
    if path.is_file() and path.suffix == ".pts":
        return _read_files(path)
    sample = path / "point_sample"
    if (sample / "pts-10000.txt").is_file():
        return _read_shape(path)
    found = sorted(path.glob("*.pts"))
    if len(found) != 1:
        raise missing_data(path, "partnet", f"{len(found)} .pts files: name one" if found else "")
    return _read_files(found[0])


def _read_files(path: Path) -> LabelledCloud:
    stem = path.name.removesuffix(".pts")
    points = _numbers(path, np.float64).reshape(-1, 3)
    semantic = _numbers(path.with_name(f"{stem}-sem.label"), np.int64)
    instance_path = path.with_name(f"{stem}-ins.label")
    instances = _numbers(instance_path, np.int64) if instance_path.is_file() else np.full(len(points), -1)
    names = read_semantics(path.with_name("semantics.txt"))
    return _cloud(path, points, semantic, instances, names)


def _read_shape(path: Path) -> LabelledCloud:
    points = _rows(path / "point_sample" / "pts-10000.txt")[:, :3]
    instances = _numbers(path / "point_sample" / "label-10000.txt", np.int64)
    result = path / "result.json"
    try:
        tree = json.loads(result.read_text(encoding="utf-8"))
        name_of = {number: name for root in tree for number, name in _paths(root, "")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{result}: expected a hierarchy of id, name and children ({error!r})") from error
    numbers = {name: number for number, name in enumerate(dict.fromkeys(name_of.values()))}
    found, where = np.unique(instances, return_inverse=True)
    semantic = np.array([numbers.get(name_of.get(int(number), ""), UNLABELLED) for number in found])[where]
    return _cloud(path, points, semantic, instances, {number: name for name, number in numbers.items()})


def _paths(node: dict[str, Any], above: str) -> list[tuple[int, str]]:
    """(id, path) of a node and of all its descendants."""
    path = f"{above}/{node['name']}".lstrip("/")
    below = [item for child in node.get("children", []) for item in _paths(child, path)]
    return [(int(node["id"]), path), *below]


def _cloud(
    path: Path, points: np.ndarray, semantic: np.ndarray, instances: np.ndarray, name_of: dict[int, str]
) -> LabelledCloud:
    if not len(points) == len(semantic) == len(instances):
        raise DataError(f"{path}: {len(points)} points, {len(semantic)} labels, {len(instances)} instances")
    used = sorted(int(number) for number in np.unique(semantic) if int(number) in name_of)
    index = {number: i for i, number in enumerate(used)}
    found, where = np.unique(semantic, return_inverse=True)
    labels = np.array([index.get(int(number), UNLABELLED) for number in found], np.int16)[where]
    names = tuple(name_of[number] for number in used)
    return LabelledCloud(points, labels, instances.astype(np.int32), names)


def read_semantics(path: Path) -> dict[int, str]:
    """Part paths by id from lines `id path/of/part leaf`. Raises DataError."""
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {int(row[0]): row[1] for row in rows}
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: expected lines 'id path/of/part leaf' ({error})") from error


def _numbers(path: Path, dtype: type) -> np.ndarray:
    try:
        return np.array(path.read_text(encoding="utf-8").split(), dtype=np.float64).astype(dtype)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected numbers as text ({error})") from error


def _rows(path: Path) -> np.ndarray:
    """[N, 3 or more]."""
    values = _numbers(path, np.float64)
    lines = sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if not lines or len(values) % lines or len(values) < 3 * lines:
        raise DataError(f"{path}: expected x y z and more on every line")
    return values.reshape(lines, -1)
