"""Reader of Stanford 2D-3D-S (Armeni et al. 2017): the perspective (not panoramic) images of an area or of one room.

Names are camera_ID_ROOM_frame_N_domain_rgb.png, with _depth, _semantic and _pose.json in folders beside it. Depth is
along the optical axis, 512 units a metre, 65535 missing. `camera_rt_matrix` maps the area's coordinates (z up) into
optical camera axes; each picture has its own intrinsics. Semantic pictures hold, as a 24-bit number in red, green and
blue, an index into assets/semantic_labels.json, where names begin with the class.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.datasets.file_sequence import FileSequence, FrameFiles, stamp_of_number
from sem_field_ros.datasets.image_files import read_color
from sem_field_ros.datasets.sources import SOURCES, missing_data
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import check_pose, inverse
from sem_field_ros.labels import UNLABELLED_ID, load_label_set

LABEL_SET = "stanford13"
_TABLE_NAME = "semantic_labels.json"
_FOLDERS_UP = 3
_SUFFIX = "_rgb.png"


class Stanford2D3DSequence(FileSequence):
    """An area's folder (area_3), its data/ folder, or with `room` the images of one room (office_1). Unordered.

    Raises DataError in one line.
    """

    units_per_m = 512.0

    def __init__(
        self,
        path: str | Path,
        label_set: str | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        room: str | None = None,
    ) -> None:
        path = Path(path)
        self._data = path / "data" if (path / "data" / "rgb").is_dir() else path
        names = [file.name for file in sorted((self._data / "rgb").glob(f"*_domain{_SUFFIX}"))]
        if not names:
            raise missing_data(path, "2d3ds")
        stems = [name.removesuffix(_SUFFIX) for name in names if room is None or f"_{room}_" in name]
        complete = [s for s in stems if self._part(s, "pose", "json").is_file() and self._part(s, "depth").is_file()]
        if not complete:
            raise DataError(f"{path}: no picture{f' of room {room}' if room else ''} has its depth and pose file")
        has_labels = (self._data / "semantic").is_dir()
        labels = load_label_set(label_set or LABEL_SET) if has_labels else None
        self._ids: np.ndarray | None = None
        timed = []
        for number, stem in enumerate(complete):
            semantic = self._part(stem, "semantic") if has_labels else None
            files = FrameFiles(
                number,
                stem.removesuffix("_domain"),
                self._part(stem, "rgb"),
                self._part(stem, "depth"),
                semantic if semantic is not None and semantic.is_file() else None,
            )
            timed.append((stamp_of_number(number), files))
        super().__init__(path, timed, labels, start_s, duration_s, missing_files=len(stems) - len(complete))

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder holds such pictures."""
        return any(next((path / sub / "rgb").glob(f"*_domain{_SUFFIX}"), None) for sub in ("data", "."))

    def _part(self, stem: str, kind: str, suffix: str = "png") -> Path:
        return self._data / kind / f"{stem}_{kind}.{suffix}"

    def _metadata(self, files: FrameFiles) -> dict[str, Any]:
        path = self._part(f"{files.name}_domain", "pose", "json")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return {
                "K": np.array(content["camera_k_matrix"], dtype=np.float64).reshape(3, 3),
                "T_camera_world": np.array(content["camera_rt_matrix"], dtype=np.float64)[:3].reshape(3, 4),
                "location": np.array(content.get("camera_location", [np.nan] * 3), dtype=np.float64).reshape(3),
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: expected camera_k_matrix and camera_rt_matrix ({error!r})") from error

    def _camera(self, files: FrameFiles, width: int, height: int) -> Intrinsics:
        return Intrinsics.from_matrix(self._metadata(files)["K"], width, height)

    def _pose(self, files: FrameFiles) -> np.ndarray:
        metadata = self._metadata(files)
        T_camera_world = check_pose(np.vstack([metadata["T_camera_world"], [0, 0, 0, 1]]), "camera_rt_matrix")
        T_world_camera = inverse(T_camera_world)
        location = metadata["location"]
        if np.isfinite(location).all() and np.linalg.norm(T_world_camera[:3, 3] - location) > 0.05:
            raise FrameError("camera_rt_matrix does not lead to camera_location", cause="bad_pose")
        return T_world_camera

    def _labels(self, files: FrameFiles) -> np.ndarray | None:
        if files.labels is None:
            return None
        assert self.labels is not None
        if self._ids is None:
            self._ids = self._read_table()
        red, green, blue = np.moveaxis(read_color(files.labels).astype(np.int64), -1, 0)
        index = (red << 16) + (green << 8) + blue
        return self._ids[np.minimum(index, len(self._ids) - 1)]

    def _read_table(self) -> np.ndarray:
        """Id of the label set by index into semantic_labels.json, with one more entry at the end for missing labels."""
        assert self.labels is not None
        path = self._find_table()
        try:
            names = [str(name).partition("_")[0] for name in json.loads(path.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path}: expected a JSON list of names ({error})") from error
        id_of = dict(zip(self.labels.names, self.labels.ids.tolist(), strict=True))
        return np.array([id_of.get(name, UNLABELLED_ID) for name in names] + [UNLABELLED_ID], np.uint16)

    def _find_table(self) -> Path:
        near = self._data.resolve()
        for folder in (near, *near.parents[:_FOLDERS_UP]):
            for path in (folder / _TABLE_NAME, folder / "assets" / _TABLE_NAME):
                if path.is_file():
                    return path
        url = SOURCES["2d3ds"].url
        raise DataError(f"{near} has semantic pictures: put assets/{_TABLE_NAME} beside the area's folder ({url})")
