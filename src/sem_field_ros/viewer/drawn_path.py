"""The camera's path as it is drawn: poses at least a step apart, never more than a bound."""

from __future__ import annotations

import numpy as np

_STEP_M = 0.03
_MAX_POSES = 4000
_JUMP_M, _JUMP = 1.5, 6.0  # longer steps are jumps: metres, and times the median step


class DrawnPath:
    """Poses at least a step apart. Beyond the bound every second one is dropped and the step doubles."""

    def __init__(self, step_m: float = _STEP_M, max_poses: int = _MAX_POSES) -> None:
        self._step = self._first_step = step_m
        self._max = max_poses
        self._poses: list[np.ndarray] = []

    def add(self, T_world_camera: np.ndarray) -> bool:
        """Take in a pose, 4x4; True if it made the path longer."""
        if self._poses and np.linalg.norm(T_world_camera[:3, 3] - self._poses[-1][:3, 3]) < self._step:
            return False
        self._poses.append(np.array(T_world_camera, dtype=np.float32))
        if len(self._poses) > self._max:
            self._poses = self._poses[::2]
            self._step *= 2
        return True

    @property
    def poses(self) -> list[np.ndarray]:
        """The poses kept, in order."""
        return list(self._poses)

    def clear(self) -> None:
        """Forget the path."""
        self._poses.clear()
        self._step = self._first_step

    def segments(self) -> np.ndarray:
        """Line segments [S, 2, 3] float32; jumps (a looped recording, a relocalised robot) are not drawn."""
        if len(self._poses) < 2:
            return np.zeros((0, 2, 3), np.float32)
        path = np.stack(self._poses)[:, :3, 3]
        lines = np.stack([path[:-1], path[1:]], axis=1)
        length = np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1)
        return lines[length < max(_JUMP_M, 4 * self._step, _JUMP * float(np.median(length)))]
