"""SemanticMap: a sparse TSDF whose surface voxels carry votes of the K best views. No ROS, no segmenter.

integrate(frame)             geometry and colour          vote(frame, probabilities)   labels
update_surface() surface()   mesh + labels, changed/all   query(points) render(view)   answers
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.context.room_context import make_context
from sem_field_ros.frame import PosedFrame
from sem_field_ros.fusion.hand_made import Fusion, view_scores
from sem_field_ros.fusion.registry import make_fusion
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.tsdf import TsdfConfig, unique_keys
from sem_field_ros.geometry.tsdf_backends import make_tsdf
from sem_field_ros.geometry.voxel_names import slot_of
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.block_ages import BlockAges, BlockKey
from sem_field_ros.mapping.block_meshes import extract_blocks, with_lower_neighbours, with_upper_neighbours
from sem_field_ros.mapping.block_surfaces import BlockSurfaces
from sem_field_ros.mapping.camera_path import CameraPath
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState
from sem_field_ros.mapping.files.map_state import MapHeader, block_keys, fill_blocks, fill_votes, pack_map, read_header
from sem_field_ros.mapping.label_refinement import LabelRefinement
from sem_field_ros.mapping.local_origin import LocalOrigin
from sem_field_ros.mapping.point_query import query_points, rows_in_free_space
from sem_field_ros.mapping.seen_blocks import SeenBlocks
from sem_field_ros.mapping.view_samples import View, sample_view
from sem_field_ros.mapping.votes import VoteTable
from sem_field_ros.parallel import one_thread
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import PointSamples, RenderedView, Surface, SurfaceScene, SurfaceUpdate

_FIRST_CAPACITY = 1024  # blocks
_CARVE_EVERY = 4  # frames; free space is carved more rarely than surface is refined
_LATE_VIEWS = 4  # keyframes kept so that surface that appears after them still gets their votes


class SemanticMap:
    """A live map, see the module. Not thread-safe: one thread owns a map."""

    def __init__(self, config: MapConfig, labels: LabelSet, fusion: Fusion | None = None) -> None:
        """`fusion` replaces the one that `config` names."""
        self.config = config
        self.labels = labels
        self.fusion = fusion or make_fusion(config.fusion, config.fusion_weights, len(labels))
        self.context = make_context(config.context, labels, config.context_weights, config.context_strength)
        self.reset()

    def reset(self) -> None:
        """Forget everything; block ids start anew."""
        c = self.config
        tsdf = TsdfConfig(c.voxel_size_m, c.truncation_voxels, c.depth_min_m, c.depth_max_m, c.max_weight)
        self.volume = make_tsdf(c.backend, tsdf, min(_FIRST_CAPACITY, c.max_blocks), c.device)
        shape = self.volume.capacity, c.views_per_voxel, len(self.labels), self.volume.tsdf.device
        self.votes = VoteTable(*shape, self.fusion.feature_dim, self.context is not None)
        self._seen = SeenBlocks(self.volume)
        self._refinement = LabelRefinement(self.volume, self.votes, c, self.context)
        self.keyframes = 0
        self.origin, self.path = LocalOrigin(), CameraPath()
        self.frames = 0
        self.evicted_blocks = 0
        self._ages = BlockAges(tsdf.block_side_m)
        self._surfaces = BlockSurfaces(self.votes)
        self._stale: set[BlockKey] = set()  # geometry changed since it was meshed
        self._late: deque[list[View]] = deque(maxlen=_LATE_VIEWS)
        self._whole: Surface | None = None
        self._shown: SurfaceScene | None = None

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        """Integrate a frame; with class probabilities it is a keyframe and votes (scene.Online)."""
        self.integrate(frame)
        if probabilities is not None:
            self.vote(frame, probabilities)

    # -- geometry ---------------------------------------------------------------------------------------------------

    @one_thread()
    def integrate(self, frame: PosedFrame) -> None:
        """Fuse a frame's depth and colour; without usable depth it changes nothing. Raises FrameError."""
        if (depth := frame.depth) is None:
            return
        frame = self.origin.place(frame, len(self.volume) == 0, self.config.voxel_size_m)
        self.frames += 1
        keys, carving = self._seen.surface(frame), self.frames % _CARVE_EVERY == 0
        if carving:
            keys = unique_keys(torch.cat([keys, self._seen.free_space(frame)]))[0]
        if len(keys):
            keys = keys[: self.config.max_blocks]
            self._make_room(keys, frame.T_world_camera[:3, 3])
            self.volume.activate(keys)
            self.volume.integrate(keys, depth, frame.color, frame.depth_camera, frame.camera, frame.T_world_camera)
        names = [*map(tuple, keys.tolist()), *(self._seen.carve_beyond(frame) if carving else ())]
        self._ages.see(names, self.frames)
        self._stale.update(names)
        if self.frames % 16 == 0:
            self.volume.weight.clamp_(max=self.config.max_weight)
        self._whole = self._shown = None

    def _adopt_blocks(self, keys: Tensor) -> Tensor:
        """Create the blocks [n, 3] of a loaded map, to be filled; returns their slots [n]."""
        needed = len(self.volume) + 2 * len(keys)
        if needed > self.volume.capacity:
            old, moved = self.volume.grow(needed)
            self.votes.remap(old, moved, self.volume.capacity)
        slots = self.volume.activate(keys).slots.to(self.volume.tsdf.device)
        names = list(map(tuple, keys.tolist()))
        self._ages.see(names, self.frames)
        self._stale.update(names)
        return slots

    def _make_room(self, keys: Tensor, center: np.ndarray) -> None:
        """Evict blocks outside the radius or the budget, then grow the volume if the new blocks need it."""
        new = int((self.volume.find(keys) < 0).sum())
        if self.config.map_radius_m > 0 and self.frames % 16 == 0:
            self._evict(self._ages.outside(center, self.config.map_radius_m))
        excess = len(self.volume) + new - self.config.max_blocks
        if excess > 0:
            # a tenth at once, so that eviction is rare
            self._evict(self._ages.oldest(max(excess, self.config.max_blocks // 10), set(map(tuple, keys.tolist()))))
        # Open3D makes room as if every key were new; growing first keeps the slots stable
        needed = len(self.volume) + new + len(keys)
        if needed > self.volume.capacity:
            old, moved = self.volume.grow(max(needed, min(2 * self.volume.capacity, self.config.max_blocks)))
            self.votes.remap(old, moved, self.volume.capacity)
            self._stale.update(self._surfaces.keys())  # their meshes refer to voxels by slots that moved

    def _evict(self, keys: list[BlockKey]) -> None:
        if not keys:
            return
        tensor = torch.tensor(keys, dtype=torch.int32)
        slots = self.volume.find(tensor)
        self.votes.release(slots[slots >= 0])
        self._refinement.touch(tensor)
        neighbours = with_lower_neighbours(self.volume, tensor)
        self.volume.erase(tensor)
        self._ages.forget(keys)
        for key in keys:
            self._surfaces.drop(key)
            self._stale.discard(key)
        self._stale.update(k for k in map(tuple, neighbours.tolist()) if k in self._ages)
        self.evicted_blocks += len(keys)

    # -- labels -----------------------------------------------------------------------------------------------------

    @one_thread()
    def vote(self, frame: PosedFrame, probabilities: ClassProbabilities) -> None:
        """Make `frame` a keyframe: every surface voxel it sees takes its class probabilities as one more view.

        Of combined probabilities each member is a view.
        """
        assert probabilities.values.shape[0] == len(self.labels), "segmenter and map differ in their label sets"
        self._mesh_stale()
        self.keyframes += 1
        self.path.add(self.keyframes, frame)
        if frame.depth is None:
            return  # without depth, the surface it sees is unknown
        frame = self.origin.local(frame)
        views = [
            View(frame, self._with_projected_features(view), self.keyframes, member)
            for member, view in enumerate(probabilities.views)
        ]
        self.votes.take_members(len(views))
        self._late.append(views)
        if len(self.votes) == 0:
            return
        keys = self._seen.surface(frame)
        slots = self.volume.find(keys)
        self._fuse(self._offer(views, self.votes.rows_in(slots[slots >= 0])), keys)

    def _fuse(self, rows: Tensor, keys: Tensor) -> None:
        """Fuse rows [n] in the blocks `keys`; the votes may ask for all rows to be fused again."""
        if self.votes.fuse(rows, self.fusion):
            self._refinement.touch(self.volume.keys()[0])
        else:
            changed = torch.isin(self.volume.find(keys), slot_of(self.votes.voxel[rows]).cpu())
            self._refinement.touch(keys[changed])

    def _with_projected_features(self, view: ClassProbabilities) -> ClassProbabilities:
        return replace(view, features=self.fusion.project_features(view) if self.fusion.feature_dim else None)

    def _offer(self, views: Sequence[View], rows: Tensor) -> Tensor:
        """Offer views to rows [n]; returns those that took one, which are to be fused again."""
        positions, normals = self.votes.position.index_select(0, rows), self.votes.normal.index_select(0, rows)
        changed = []
        for view in views:
            samples = sample_view(positions, normals, view.frame, view.probabilities, self.config.vote_tolerance_m)
            scores = view_scores(samples.distance, samples.cosine)
            offer = rows[samples.seen], samples, scores, view.keyframe_id, self.fusion.prefers_new, view.member
            changed.append(self.votes.insert(*offer))
        return changed[0] if len(changed) == 1 else torch.cat(changed).unique()

    def _mesh_stale(self) -> None:
        """Re-extract the blocks whose voxels changed; new surface voxels get the votes of the last keyframes."""
        if not self._stale:
            return
        stale = torch.tensor(sorted(self._stale), dtype=torch.int32)
        self._stale.clear()
        keys = with_lower_neighbours(self.volume, stale)
        geometries, hosts = extract_blocks(self.volume, keys, self.config.min_weight)
        for key, geometry in zip(map(tuple, keys.tolist()), geometries, strict=True):
            if geometry is None:
                self._surfaces.drop(key)
            else:
                self._surfaces.put(key, geometry)
        self._refinement.touch(with_upper_neighbours(keys))
        self.votes.drop(rows_in_free_space(self.volume, self.votes, stale))
        rows, is_new = self.votes.place(hosts.voxel, hosts.position, hosts.normal)
        if is_new.any() and self._late:
            self._fuse(self._offer([view for views in self._late for view in views], rows[is_new]), keys)
        self._whole = self._shown = None

    def _bring_up_to_date(self) -> None:
        """Bring meshes and labels up to date."""
        self._mesh_stale()
        changed = self._refinement.update(self.path)
        if len(changed):
            self._surfaces.relabelled(map(tuple, with_lower_neighbours(self.volume, changed).tolist()))
            self._whole = None

    # -- answers ----------------------------------------------------------------------------------------------------

    @one_thread()
    def update_surface(self) -> SurfaceUpdate:
        """Return the block surfaces that changed since the last call, and the ids of removed blocks."""
        self._bring_up_to_date()
        return self.origin.world_update(self._surfaces.take_update())

    @one_thread()
    def surface(self) -> Surface:
        """Return the whole labelled surface; vertices on block borders appear once per block."""
        return self.origin.world(self._merged())

    def _merged(self) -> Surface:  # relative to the map's origin
        self._bring_up_to_date()
        if self._whole is None:
            self._whole = self._surfaces.merged()
        return self._whole

    @one_thread()
    def query(self, points: np.ndarray) -> PointSamples:
        """Signed distance, label, confidence and class probabilities at `points` [N, 3] (world frame, metres)."""
        self._bring_up_to_date()
        return query_points(self.volume, self.votes, torch.from_numpy(self.origin.local_points(points)))

    @one_thread()
    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        """Ray cast the labelled surface into a camera."""
        surface = self._merged()
        if self._shown is None or self._shown.surface is not surface:
            self._shown = SurfaceScene(surface)
        return self._shown.render(camera, self.origin.local_pose(T_world_camera))

    @one_thread()
    def state(self) -> MapState:
        """Return the map as plain arrays, for save_map."""
        counts, origin_m = (self.keyframes, self.frames), self.origin.offset
        header = MapHeader(self.config, self.labels, *counts, self.fusion.identity, origin_m)
        return self._refinement.add_to(self.path.add_to(pack_map(header, self.volume, self.votes)))

    @classmethod
    @one_thread()
    def from_state(cls, state: MapState, config: MapConfig | None = None) -> SemanticMap:
        """Rebuild a map from load_map's result; `config` replaces all settings that its voxels do not depend on.

        Raises MapFileError with one line if arrays do not fit each other or the header is not valid.
        """
        header = read_header(state.header, config)
        keys = block_keys(state)
        restored = cls(replace(header.config, max_blocks=max(header.config.max_blocks, len(keys))), header.labels)
        slots = restored._adopt_blocks(keys)
        fill_blocks(state, restored.volume, slots)
        same_voter = header.voter == restored.fusion.identity
        restored.votes.fuse(fill_votes(state, restored.votes, slots, same_voter), restored.fusion)
        restored._refinement.restore(state, keys)
        restored.keyframes, restored.frames = header.keyframes, header.frames
        restored.origin, restored.path = LocalOrigin(header.origin_m), CameraPath.of(state)
        return restored

    def stats(self) -> dict[str, float]:
        """Sizes for diagnostics: blocks, surface_voxels, keyframes, frames, evicted_blocks, map_bytes."""
        voxels = self.volume.tsdf.nbytes + self.volume.weight.nbytes + self.volume.color.nbytes
        return {
            "blocks": len(self.volume),
            "surface_voxels": len(self.votes),
            "keyframes": self.keyframes,
            "frames": self.frames,
            "evicted_blocks": self.evicted_blocks,
            "map_bytes": voxels + self._surfaces.nbytes + self.votes.nbytes,
        }
