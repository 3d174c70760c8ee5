"""The camera's path through a map: the pose of every keyframe, saved with the map as optional arrays."""

from __future__ import annotations

import numpy as np

from sem_field_ros.errors import MapFileError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.mapping.files.map_file import MapState

MAX_KEYFRAMES = 100_000
_POSES, _IDS, _STAMPS = "keyframe_poses", "keyframe_ids", "keyframe_stamps_ns"


class CameraPath:
    """Keyframe poses in the order of mapping.

    At most `max_keyframes` are kept. When there are more, every second one is dropped, so that the path keeps its
    whole extent and memory stays bounded.
    """

    def __init__(self, max_keyframes: int = MAX_KEYFRAMES) -> None:
        self._max = max_keyframes
        self._ids: list[int] = []
        self._stamps_ns: list[int] = []
        self._poses: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._poses)

    @property
    def poses(self) -> list[np.ndarray]:
        """T_world_camera of the keyframes, 4x4 float64, metres, optical camera frames."""
        return list(self._poses)

    def add(self, keyframe_id: int, frame: PosedFrame) -> None:
        """Add a keyframe; `keyframe_id` is the number in its votes."""
        self._ids.append(keyframe_id)
        self._stamps_ns.append(frame.stamp_ns)
        self._poses.append(np.array(frame.T_world_camera, dtype=np.float64))
        if len(self) > self._max:
            self._ids, self._stamps_ns, self._poses = self._ids[::2], self._stamps_ns[::2], self._poses[::2]

    def add_to(self, state: MapState) -> MapState:
        """`state` with the path's arrays: n poses [n, 4, 4] float64, ids [n] int32, stamps [n] int64 nanoseconds."""
        arrays: dict[str, np.ndarray] = {
            _POSES: np.array(self._poses, dtype=np.float64).reshape(-1, 4, 4),
            _IDS: np.array(self._ids, dtype=np.int32),
            _STAMPS: np.array(self._stamps_ns, dtype=np.int64),
        }
        return MapState({**state.arrays, **arrays}, state.header)

    @classmethod
    def of(cls, state: MapState, max_keyframes: int = MAX_KEYFRAMES) -> CameraPath:
        """The path of a saved map; empty if the map was saved without one, as older versions did.

        Raises MapFileError with one line if the arrays do not fit each other.
        """
        path = cls(max_keyframes)
        if _POSES not in state.arrays:
            return path
        poses = state.array(_POSES, np.float64, (None, 4, 4))
        ids = state.array(_IDS, np.int32, (len(poses),))
        stamps_ns = state.array(_STAMPS, np.int64, (len(poses),))
        if not _are_rigid(poses):
            raise MapFileError(f"the map's array '{_POSES}' holds matrices that are not rigid transforms: map again")
        path._ids, path._stamps_ns, path._poses = ids.tolist(), stamps_ns.tolist(), list(poses.copy())
        return path


def _are_rigid(T: np.ndarray) -> bool:
    """Whether all of T [n, 4, 4] are finite rigid transforms."""
    if not np.isfinite(T).all() or (T[:, 3] != [0, 0, 0, 1]).any():
        return False
    R = T[:, :3, :3]
    return bool((np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)) < 1e-2).all() and (np.linalg.det(R) > 0).all())
