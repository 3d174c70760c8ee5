"""VoteTable: the votes of the K best views of every surface voxel, and the fused label.

One row per surface voxel. A row stores the class probabilities of the views (8 bits per class), so neither images nor
keyframes stay in memory, and a loaded map can continue voting.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sem_field_ros.fusion.hand_made import CUES, Fusion, Votes, view_rank
from sem_field_ros.geometry.voxel_names import VOXELS, renamed, slot_of
from sem_field_ros.mapping.view_samples import ViewSamples
from sem_field_ros.parallel import for_each, part_size

_FEATURE_STEPS = 127.0  # features in -1..1 are kept in 8 bits
_CPU_CHUNK, _CHUNK = 1024, 1 << 16  # rows fused at once: fits the processor's cache, bounds the memory
_LEAST_CHUNK = 256  # fewest rows worth a thread


class VoteTable:
    """Rows of all surface voxels. Voxels are named as in geometry/voxel_names.py.

    voxel [R] int64, -1 = free row     position, normal [R, 3] float32     view_probabilities [R, K, C] uint8 (255 = 1)
    scores [R, K] float32, 0 = empty   keyframe_id [R, K] int32 keyframe number
    fused [R, C] float32, the views fused   corrected [R, C] float32, the same after context; empty without
    support [R] float32, 1 - 0.5^views: one view alone counts half
    probabilities [R, C] float32, confidence [R] (of the winning class, times support): smoothed, see LabelSmoother
    features [R, K, D] int8 (127 = 1)   cues [R, K, CUES] float16; empty if the fusion uses none (D = 0)
    """

    voxel: Tensor
    position: Tensor
    normal: Tensor
    view_probabilities: Tensor
    scores: Tensor
    keyframe_id: Tensor
    features: Tensor
    cues: Tensor
    fused: Tensor
    corrected: Tensor
    support: Tensor
    probabilities: Tensor
    confidence: Tensor

    def __init__(
        self,
        capacity_blocks: int,
        views: int,
        classes: int,
        device: torch.device,
        feature_count: int = 0,
        context: bool = False,
    ) -> None:
        self.context = context
        self.views, self.classes, self.device, self.feature_count = views, classes, device, feature_count
        self.row_of_voxel = torch.full((capacity_blocks * VOXELS,), -1, dtype=torch.int32, device=device)
        self._slot_numbers = torch.arange(1, views + 1, device=device)
        self._free = torch.zeros(0, dtype=torch.int64, device=device)
        self._set_columns(0)

    def _columns(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Shape of a row and type of every column: the one list of them. All are zero in a new row."""
        k, c, d = self.views, self.classes, self.feature_count
        return {
            "voxel": ((), torch.int64),
            "position": ((3,), torch.float32),
            "normal": ((3,), torch.float32),
            "view_probabilities": ((k, c), torch.uint8),
            "scores": ((k,), torch.float32),
            "keyframe_id": ((k,), torch.int32),
            "features": ((k, d), torch.int8),
            "cues": ((k, CUES if d else 0), torch.float16),
            "fused": ((c,), torch.float32),
            "corrected": ((c if self.context else 0,), torch.float32),
            "support": ((), torch.float32),
            "probabilities": ((c,), torch.float32),
            "confidence": ((), torch.float32),
        }

    def _set_columns(self, rows: int) -> None:
        for name, (shape, dtype) in self._columns().items():
            setattr(self, name, torch.zeros(rows, *shape, dtype=dtype, device=self.device))
        self.voxel.fill_(-1)

    def __len__(self) -> int:
        return len(self.voxel) - len(self._free)

    @property
    def nbytes(self) -> int:
        """Memory of the table in bytes."""
        return sum(getattr(self, name).nbytes for name in self._columns()) + self.row_of_voxel.nbytes

    @property
    def before_smoothing(self) -> Tensor:
        """Class probabilities [R, C]: corrected by context if there is one, else fused."""
        return self.corrected if self.context else self.fused

    def _reserve(self, extra: int) -> None:
        if extra <= len(self._free):
            return
        old = len(self.voxel)
        rows = max(1024, old + old // 2, old + extra - len(self._free))
        kept = {name: getattr(self, name) for name in self._columns()}
        self._set_columns(rows)
        for name, column in kept.items():
            getattr(self, name)[:old] = column
        self._free = torch.cat([self._free, torch.arange(old, rows, device=self.device)])

    def place(self, voxels: Tensor, positions: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        """Give each voxel [n] (no duplicates) a row, move rows to `positions`; returns rows [n] and which are new."""
        rows = self.row_of_voxel[voxels].long()
        is_new = rows < 0
        count = int(is_new.sum())
        if count:
            self._reserve(count)
            fresh, self._free = self._free[:count], self._free[count:]
            rows[is_new] = fresh
            for name in self._columns():
                getattr(self, name)[fresh] = 0
            self.voxel[fresh] = voxels[is_new]
            self.row_of_voxel[voxels[is_new]] = fresh.int()
        self.position[rows] = positions
        self.normal[rows] = normals
        return rows, is_new

    def release(self, slots: Tensor) -> None:
        """Free every row of the given blocks, which are removed from the map."""
        self.drop(self.rows_in(slots))

    def drop(self, rows: Tensor) -> None:
        """Free rows [n]: their voxels are no longer surface."""
        self.row_of_voxel[self.voxel[rows]] = -1
        self.voxel[rows] = -1
        self._free = torch.cat([self._free, rows])

    def remap(self, old: Tensor, new: Tensor, capacity_blocks: int) -> None:
        """Follow blocks that moved from slots `old` to `new` when the volume grew."""
        slot = torch.full((int(old.max()) + 1 if len(old) else 1,), -1, dtype=torch.int64, device=self.device)
        slot[old.to(self.device)] = new.to(self.device)
        used = (self.voxel >= 0).nonzero()[:, 0]
        voxel = self.voxel[used]
        self.voxel[used] = renamed(voxel, slot[slot_of(voxel)])
        self.row_of_voxel = torch.full((capacity_blocks * VOXELS,), -1, dtype=torch.int32, device=self.device)
        self.row_of_voxel[self.voxel[used]] = used.int()

    def rows_in(self, slots: Tensor) -> Tensor:
        """Rows [n] of the given blocks."""
        rows = self.row_of_voxel.view(-1, VOXELS).index_select(0, slots.to(self.device)).flatten()
        return rows[rows >= 0].long()

    def insert(self, rows: Tensor, view: ViewSamples, scores: Tensor, keyframe_id: int, prefers_new: bool) -> Tensor:
        """Offer one view to the rows [m] it sees, with scores [m] > 0; returns the rows that changed.

        It takes an empty slot, or replaces the worst view if it is better. A view without the features that the
        fusion uses gets zeros.
        """
        rank = view_rank(self.scores.index_select(0, rows), self.keyframe_id.index_select(0, rows), prefers_new)
        worst, slot = rank.min(dim=1)
        better = (scores > worst if not prefers_new else torch.ones_like(scores, dtype=torch.bool)).nonzero()[:, 0]
        rows = rows.index_select(0, better)
        place = rows * self.views + slot.index_select(0, better)

        def put(column: Tensor, values: Tensor) -> None:
            column.view(-1, *column.shape[2:]).index_copy_(0, place, values)

        put(self.view_probabilities, (view.probabilities.index_select(0, better) * 255 + 0.5).to(torch.uint8))
        put(self.scores, scores.index_select(0, better))
        put(self.keyframe_id, torch.full_like(rows, keyframe_id, dtype=torch.int32))
        if self.feature_count:
            put(self.cues, view.cues.index_select(0, better).half())
            if view.features is None:
                self.features.view(-1, self.feature_count)[place] = 0
            else:
                steps = view.features.index_select(0, better) * _FEATURE_STEPS
                put(self.features, steps.round_().to(torch.int8))
        return rows

    def views_of(self, rows: Tensor, slots: int | None = None) -> Votes:
        """The votes of rows [n] for a fusion; `slots`: only the first ones."""

        def column(values: Tensor) -> Tensor:
            return values.index_select(0, rows)[:, :slots]

        votes = Votes(column(self.view_probabilities).float().div_(255), column(self.scores), column(self.keyframe_id))
        if not self.feature_count:
            return votes
        features = column(self.features).float().div_(_FEATURE_STEPS)
        return replace(votes, features=features, cues=column(self.cues).float())

    def fuse(self, rows: Tensor, fusion: Fusion) -> None:
        """Fuse the views of rows [n] into `fused` and `support`."""
        seen = self.scores.index_select(0, rows) > 0
        last = torch.where(seen, self._slot_numbers, 0).amax(dim=1)
        order = last.argsort(descending=True)  # rows with similar numbers of views, so that few slots are empty
        size = part_size(len(rows), _CPU_CHUNK, _LEAST_CHUNK) if self.device.type == "cpu" else _CHUNK
        parts = [(rows[part], max(1, int(last[part[0]]))) for part in order.split(size) if len(part)]

        def fuse(part: tuple[Tensor, int]) -> None:
            votes = self.views_of(*part)
            self.fused[part[0]] = fusion.fuse(votes)
            self.support[part[0]] = 1 - 0.5 ** (votes.scores > 0).sum(dim=1)

        for_each(parts, fuse)

    def labels(self, rows: Tensor) -> Tensor:
        """Class index of rows [n] (row -1 = no row), int16, -1 = unlabelled."""
        best, index = self.probabilities[rows].max(dim=1)
        return torch.where((rows >= 0) & (best > 0), index, -1).to(torch.int16)
