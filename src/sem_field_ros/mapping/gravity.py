"""Which way is up in a map, and how high its floor lies: what the context network needs to know heights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from sem_field_ros.context.floor import floor_height
from sem_field_ros.errors import MapFileError
from sem_field_ros.geometry.axes import axis_vector, upright
from sem_field_ros.geometry.viewpoints import estimate_up
from sem_field_ros.mapping.config import AUTO
from sem_field_ros.mapping.votes import VoteTable

HEADER_KEY = "gravity"  # in a saved map's header
_GROWTH = 0.1  # estimated again when the surface has grown or shrunk by this share
_TURN_DEG, _RISE_M = 2.0, 0.03  # smaller changes are ignored: each makes the context of the whole map anew
_POSES = 256  # as many cameras of the path are enough


class Gravity:
    """`up` [3] unit vector in the map frame, `floor_m` height of the floor along it; None = no floor in sight."""

    def __init__(self, up_axis: str, voxel_m: float) -> None:
        """up_axis: one of AXES, or AUTO: z unless the cameras' poses contradict it (see estimate_up)"""
        self._given = None if up_axis == AUTO else axis_vector(up_axis)
        self._voxel_m = voxel_m
        self.up = axis_vector("z") if self._given is None else self._given
        self.floor_m: float | None = None
        self._points = 0  # surface voxels at the last estimate

    @property
    def rotation(self) -> np.ndarray:
        """R_upright_world [3, 3]: turns the map so that up is z."""
        return upright(self.up)

    @property
    def tilted(self) -> bool:
        """Whether up is none of the map's axes."""
        return bool(np.abs(self.up).max() < 1 - 1e-9)

    def update(self, votes: VoteTable, T_world_cameras: Sequence[np.ndarray]) -> bool:
        """Estimate again if the surface has changed enough; returns whether up or floor changed."""
        if abs(len(votes) - self._points) <= _GROWTH * self._points or not len(votes):
            return False
        self._points = len(votes)
        rows = (votes.voxel >= 0).nonzero()[:, 0]
        position, normal = votes.position[rows].cpu(), votes.normal[rows].cpu()
        turned = self._given is None and self._turn(normal.numpy(), T_world_cameras)
        up = torch.from_numpy(self.up.astype(np.float32))
        floor = floor_height(position @ up, normal @ up, self._voxel_m)
        before = self.floor_m
        if not turned and floor is not None and before is not None and abs(floor - before) < _RISE_M:
            return False
        self.floor_m = floor
        return turned or floor != before

    def _turn(self, normal: np.ndarray, T_world_cameras: Sequence[np.ndarray]) -> bool:
        some = T_world_cameras[:: max(1, len(T_world_cameras) // _POSES)]
        up = estimate_up(normal, some)
        if up @ self.up > np.cos(np.radians(_TURN_DEG)):
            return False
        self.up = up
        return True

    def as_header(self) -> dict[str, Any]:
        """Plain JSON values for a map's header."""
        return {"up": self.up.tolist(), "floor_m": self.floor_m, "surface_voxels": self._points}

    def read(self, header: Mapping[str, Any]) -> None:
        """Take over what `as_header` wrote, if the header has it. Raises MapFileError in one line."""
        if HEADER_KEY not in header:
            return
        try:
            content = header[HEADER_KEY]
            up = np.array([float(v) for v in content["up"]])
            floor = None if content["floor_m"] is None else float(content["floor_m"])
            points = int(content["surface_voxels"])
            if up.shape != (3,) or abs(np.linalg.norm(up) - 1) > 1e-3 or not np.isfinite(floor or 0.0):
                raise ValueError(f"up {up.tolist()}, floor {floor}")
        except (KeyError, TypeError, ValueError) as error:
            raise MapFileError(f"the map's header cannot be read ({HEADER_KEY}: {error}): map again") from error
        if self._given is None or np.allclose(up, self._given):
            self.up, self.floor_m, self._points = up, floor, points
