"""From fused votes to the labels of a map: corrected by the context of the room, then smoothed; changed blocks only."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.context.network import RoomSurface
from sem_field_ros.context.room_context import RoomContext
from sem_field_ros.geometry.tsdf import TsdfVolume, unique_keys
from sem_field_ros.geometry.voxel_names import slot_of
from sem_field_ros.mapping.camera_path import CameraPath
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState
from sem_field_ros.mapping.gravity import HEADER_KEY, Gravity
from sem_field_ros.mapping.label_smoother import LabelSmoother, around
from sem_field_ros.mapping.votes import VoteTable

_CHUNK = 2048  # blocks corrected at once: bounds the memory for a whole map
_CHANGE = 1e-4  # smaller changes of a probability are rounding: sums in another order


class LabelRefinement:
    """Computes VoteTable.corrected, .probabilities and .confidence of the blocks that changed and those around."""

    def __init__(self, volume: TsdfVolume, votes: VoteTable, config: MapConfig, context: RoomContext | None) -> None:
        """context: None = fused votes are smoothed as they are"""
        self._volume, self._votes, self._context = volume, votes, context
        self._smoother = LabelSmoother(volume, votes, config.smoothing_cell_m)
        self._gravity = Gravity(config.up_axis, config.voxel_size_m)
        self._touched: list[Tensor] = []

    @property
    def gravity(self) -> Gravity:
        """Up and floor, as last estimated; only with context."""
        return self._gravity

    def touch(self, keys: Tensor) -> None:
        """Mark blocks [n, 3] whose votes or voxels changed: `update` recomputes them and those around them."""
        self._smoother.touch(keys)
        if self._context is not None and len(keys):
            self._touched.append(keys.cpu())

    def update(self, path: CameraPath) -> Tensor:
        """Recompute marked blocks and those around them; returns keys [n, 3] int32 of blocks with other labels."""
        if self._touched and self._context is not None:
            touched, self._touched = torch.cat(self._touched), []
            if self._gravity.update(self._votes, path.poses):
                touched = torch.cat([touched, self._volume.keys()[0].cpu()])
            self._smoother.touch(self._correct(self._context, touched))
        return self._smoother.update()

    def _correct(self, context: RoomContext, touched: Tensor) -> Tensor:
        """Correct all that `touched` blocks may have changed; returns keys of the blocks that did change."""
        votes = self._votes
        reach = context.reach_m * (math.sqrt(3) if self._gravity.tilted else 1)
        blocks = math.ceil(reach / self._volume.config.block_side_m)
        changed = [touched[:0]]
        for keys in self._existing(around(unique_keys(touched)[0], blocks)).split(_CHUNK):
            slots = self._volume.find(keys)
            rows = votes.rows_in(slots)
            near = votes.rows_in(self._volume.find(self._existing(around(keys, blocks))))
            inside = torch.zeros(len(votes.voxel), dtype=torch.bool, device=votes.device)
            inside[rows] = True
            at = inside[near].nonzero()[:, 0]
            if not len(at):
                continue
            new, rows = context.correct(self._surface(near))[at], near[at]
            other = (new - votes.corrected[rows]).abs().amax(dim=1) > _CHANGE
            votes.corrected[rows[other]] = new[other]
            changed.append(keys[torch.isin(slots, slot_of(votes.voxel[rows[other]]).cpu())])
        return torch.cat(changed)

    def _surface(self, rows: Tensor) -> RoomSurface:
        votes, gravity = self._votes, self._gravity
        R = torch.from_numpy(gravity.rotation.astype(np.float32)).to(votes.device)
        position, normal = votes.position[rows] @ R.T, votes.normal[rows] @ R.T
        position[:, 2] -= gravity.floor_m or 0.0
        voxel_m, known = self._volume.config.voxel_size_m, gravity.floor_m is not None
        return RoomSurface(position, normal, votes.fused[rows], votes.support[rows], voxel_m, known)

    def _existing(self, keys: Tensor) -> Tensor:
        return keys[self._volume.find(keys) >= 0]

    def add_to(self, state: MapState) -> MapState:
        """`state` with what the context depends on beside voxels and votes."""
        if self._context is None:
            return state
        return MapState(state.arrays, {**state.header, HEADER_KEY: self._gravity.as_header()})

    def restore(self, state: MapState, keys: Tensor) -> None:
        """After the blocks `keys` of a state were filled. Raises MapFileError in one line."""
        self._gravity.read(state.header)
        self.touch(keys)
