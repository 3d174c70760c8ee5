"""Reader of SceneNN scenes (Hua et al. 2016): image/, depth/ and timestamp.txt of the .oni file, trajectory.log.

Pictures are image00001.png, depth00001.png (millimetres) ...; the k-th pose of trajectory.log belongs to image k,
camera to world with optical axes. Intrinsics come from intrinsic/asus.ini (or kinect2.ini) beside or above the scene;
without it, those of the Asus Xtion are used. Only the mesh has labels: NAME.ply has an object number per vertex,
NAME.xml the NYU-40 class of each object.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles, stamp_of_number
from sem_field_ros.datasets.files.names import IMAGES, numbered_files
from sem_field_ros.datasets.files.text import NS, read_rows
from sem_field_ros.datasets.sources import missing_data
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import UNLABELLED_ID, load_label_set

DEFAULT_LABEL_SET = "nyu40"
_ASUS = Intrinsics(544.47329, 544.47329, 320.0, 240.0, 640, 480)
_INTRINSICS = ("intrinsic/asus.ini", "intrinsic/kinect2.ini")
_FOLDERS_UP = 2
_SYNONYMS = {"fridge": "refrigerator", "tv": "television", "tvmonitor": "television"}


class SceneNNSequence(FileSequence):
    """One scene folder, as 005/ with its pictures extracted. Raises DataError in one line."""

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        colors = numbered_files(path / "image", "image", IMAGES)
        if not colors or not (path / "trajectory.log").is_file():
            raise missing_data(path, "scenenn")
        self._poses = read_trajectory_log(path / "trajectory.log")
        depths = numbered_files(path / "depth", "depth", (".png",))
        stamps = _read_stamps(path / "timestamp.txt")
        self._cameras = _find_cameras(path)
        timed = [
            (stamps.get(n, stamp_of_number(n)), FrameFiles(n, color.stem, color, depths[n]))
            for n, color in colors.items()
            if n in depths and 1 <= n <= len(self._poses)
        ]
        if not timed:
            raise DataError(f"{path}: no image has its depth image and its pose in trajectory.log")
        self._mesh_files = path / f"{path.resolve().name}.ply", path / f"{path.resolve().name}.xml"
        labelled = all(file.is_file() for file in self._mesh_files)
        known = load_label_set(label_set or DEFAULT_LABEL_SET) if labelled else None
        super().__init__(path, timed, known, start_s, duration_s, missing_files=len(colors) - len(timed))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such a scene."""
        return (path / "trajectory.log").is_file() and (path / "image").is_dir()

    def read_mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The scene's labelled mesh: vertices [V, 3], faces [F, 3], label ids [V]; None without. Raises DataError."""
        if self.labels is None:
            return None
        columns, faces = read_ply(self._mesh_files[0])
        if "label" not in columns:
            raise DataError(f"{self._mesh_files[0]} has no vertex property 'label'")
        nyu40 = load_label_set("nyu40")
        table = nyu40.regroup(self.labels)
        index_of = {_plain(name): index for index, name in enumerate(nyu40.names)}
        ids = {
            number: int(self.labels.to_id(np.array(table[index_of[name]])))
            for number, name in _object_classes(self._mesh_files[1]).items()
            if name in index_of
        }
        numbers, where = np.unique(columns["label"].astype(np.int64), return_inverse=True)
        found = np.array([ids.get(int(number), UNLABELLED_ID) for number in numbers], np.uint16)
        return np.stack([columns[axis] for axis in "xyz"], axis=1), faces, found[where]

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        if (width, height) not in self._cameras:
            raise DataError(
                f"{files.color} is {width}x{height}: put {' or '.join(_INTRINSICS)} beside or above the scene"
            )
        return self._cameras[width, height]

    def _pose(self, files: FrameFiles) -> np.ndarray:
        return self._poses[files.number - 1]


def read_trajectory_log(path: Path) -> np.ndarray:
    """Poses of a .log trajectory (repeated: a line of numbers, then 4 lines of a matrix), [N, 4, 4]."""
    try:
        lines = read_rows(path)
        matrices = [line for number, line in enumerate(lines) if number % 5]
        return np.array(matrices, dtype=np.float64).reshape(len(lines) // 5, 4, 4)
    except ValueError as error:
        raise DataError(f"{path}: expected a line of numbers and a 4x4 matrix a frame ({error})") from error


def _read_stamps(path: Path) -> dict[int, int]:
    """Lines `number microseconds`; none without the file."""
    if not path.is_file():
        return {}
    try:
        rows = read_rows(path)
        return {int(row[0]): int(row[1]) * 1000 + NS for row in rows}  # the first is at 0, invalid in ROS
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: expected lines 'number microseconds' ({error})") from error


def _find_cameras(scene: Path) -> dict[tuple[int, int], Intrinsics]:
    """Cameras by image size: the Asus Xtion, and those of the .ini files beside or above the scene."""
    cameras = {(_ASUS.width, _ASUS.height): _ASUS}
    near = scene.resolve()
    for folder in reversed((near, *near.parents[:_FOLDERS_UP])):
        for path in (folder / name for name in _INTRINSICS if (folder / name).is_file()):
            camera = _read_camera(path)
            cameras[camera.width, camera.height] = camera
    return cameras


def _read_camera(path: Path) -> Intrinsics:
    """Lines `name value`: fx, fy, depth_width, depth_height; without cx and cy the principal point is the middle."""
    try:
        rows = [line.replace("=", " ").split() for line in path.read_text(encoding="utf-8").splitlines()]
        values = {row[0]: float(row[1]) for row in rows if len(row) >= 2 and row[0][0].isalpha()}
        width, height = int(values["depth_width"]), int(values["depth_height"])
        cx, cy = values.get("cx", width / 2), values.get("cy", height / 2)
        return Intrinsics(values["fx"], values["fy"], cx, cy, width, height)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"{path}: expected lines fx, fy, depth_width, depth_height with a number ({error!r})"
        ) from error


def _object_classes(path: Path) -> dict[int, str]:
    """NYU-40 class by object number, its name without spaces."""
    try:
        labels = ElementTree.parse(path).getroot().iter("label")
        named = {int(label.get("id", "")): _plain(label.get("nyu_class") or "") for label in labels}
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise DataError(f"{path}: expected <label id=... nyu_class=...> elements ({error})") from error
    return {number: _SYNONYMS.get(name, name) for number, name in named.items()}


def _plain(name: str) -> str:
    """Makes `Floor mat`, `floor-mat` and `floormat` equal."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
