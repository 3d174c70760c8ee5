"""The surface of every block with its published id, and the changes since the last publication."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from sem_field_ros.mapping.block_ages import BlockKey
from sem_field_ros.mapping.block_meshes import BlockGeometry
from sem_field_ros.mapping.votes import VoteTable
from sem_field_ros.surface import Surface, SurfaceUpdate, merge_surfaces


class BlockSurfaces:
    """Block geometries by key. An id is given at a block's first surface and never used again."""

    def __init__(self, votes: VoteTable) -> None:
        self._votes = votes
        self._blocks: dict[BlockKey, BlockGeometry] = {}
        self._id_of: dict[BlockKey, int] = {}
        self._next_id = 0
        self._unpublished: set[BlockKey] = set()
        self._removed_ids: list[int] = []

    def keys(self) -> Iterable[BlockKey]:
        """Keys of the blocks that have surface."""
        return self._blocks.keys()

    @property
    def nbytes(self) -> int:
        """Memory of the geometries in bytes."""
        return sum(b.vertices.nbytes * 3 + b.faces.nbytes for b in self._blocks.values())

    def put(self, key: BlockKey, geometry: BlockGeometry) -> None:
        """Set a block's surface."""
        if key not in self._id_of:
            self._id_of[key] = self._next_id
            self._next_id += 1
        self._blocks[key] = geometry
        self._unpublished.add(key)

    def drop(self, key: BlockKey) -> None:
        """Remove a block's surface."""
        self._blocks.pop(key, None)
        self._unpublished.discard(key)
        if key in self._id_of:
            self._removed_ids.append(self._id_of.pop(key))

    def relabelled(self, keys: Iterable[BlockKey]) -> None:
        """Mark blocks whose labels may have changed."""
        self._unpublished.update(self._blocks.keys() & set(keys))

    def take_update(self) -> SurfaceUpdate:
        """The changes since the last call."""
        changed = {self._id_of[key]: self._surface_of(self._blocks[key]) for key in sorted(self._unpublished)}
        update = SurfaceUpdate(changed, self._removed_ids)
        self._unpublished, self._removed_ids = set(), []
        return update

    def merged(self) -> Surface:
        """The surfaces of all blocks; vertices on block borders appear once per block."""
        return merge_surfaces([self._surface_of(block) for block in self._blocks.values()])

    def _surface_of(self, block: BlockGeometry) -> Surface:
        votes = self._votes
        rows = votes.row_of_voxel[torch.from_numpy(block.voxel).to(votes.device)].long()
        labels = votes.labels(rows).cpu().numpy()
        confidence = torch.where(rows >= 0, votes.confidence[rows], 0.0).cpu().numpy()
        return Surface(block.vertices, block.normals, block.colors, labels, confidence, block.faces, block.owned)
