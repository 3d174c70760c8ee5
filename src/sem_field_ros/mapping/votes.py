"""VoteTable: the votes of the K best views of every surface voxel, and the fused label.

One row per surface voxel. A row stores the class probabilities of the views (8 bits per class), so neither images nor
keyframes stay in memory, and a loaded map can continue voting. Of M combined segmenters each has K slots of its own:
S = K * M slots, of which slot s belongs to number s % M.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sem_field_ros.fusion.agreement import EXPECTED, member_weights, self_agreement
from sem_field_ros.fusion.hand_made import CUES, Fusion, Votes, view_rank
from sem_field_ros.geometry.voxel_names import VOXELS, renamed, slot_of
from sem_field_ros.mapping.view_samples import ViewSamples
from sem_field_ros.parallel import for_each, part_size

_FEATURE_STEPS = 127.0  # features in -1..1 are kept in 8 bits
_CPU_CHUNK, _CHUNK = 1024, 1 << 16  # rows fused at once: fits the processor's cache, bounds the memory
_LEAST_CHUNK = 256  # fewest rows worth a thread
_SAMPLE = 2048  # rows that the agreement of segmenters is measured on, up to twice as many
_WEIGHT_STEP = 0.1  # relative change of a segmenter's weight that is worth fusing all rows again


class VoteTable:
    """Rows of all surface voxels. Voxels are named as in geometry/voxel_names.py.

    voxel [R] int64, -1 = free row     position, normal [R, 3] float32     view_probabilities [R, S, C] uint8 (255 = 1)
    scores [R, S] float32, 0 = empty   keyframe_id [R, S] int32 keyframe number
    fused [R, C] float32, the views fused   corrected [R, C] float32, the same after context; empty without
    support [R] float32, 1 - 0.5^views: one view alone counts half
    probabilities [R, C] float32, confidence [R] (of the winning class, times support): smoothed, see LabelSmoother
    features [R, S, D] int8 (127 = 1)   cues [R, S, CUES] float16; empty if the fusion uses none (D = 0)
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
        self.members = 1
        self.agreement = torch.full((1,), EXPECTED, device=device)  # [M] self_agreement of the segmenters
        self.row_of_voxel = torch.full((capacity_blocks * VOXELS,), -1, dtype=torch.int32, device=device)
        self._free = torch.zeros(0, dtype=torch.int64, device=device)
        self._set_columns(0)

    def _columns(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Shape of a row and type of every column: the one list of them. All are zero in a new row."""
        k, c, d = self.views * self.members, self.classes, self.feature_count
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

    def take_members(self, members: int) -> None:
        """Have slots for the votes of this many combined segmenters, if there are fewer."""
        if members <= self.members:
            return
        for name in ("view_probabilities", "scores", "keyframe_id", "features", "cues"):
            old = getattr(self, name).unflatten(1, (self.views, self.members))
            new = old.new_zeros(*old.shape[:2], members, *old.shape[3:])
            new[:, :, : self.members] = old
            setattr(self, name, new.flatten(1, 2))
        self.members = members
        self.agreement = torch.full((members,), EXPECTED, device=self.device)

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

    def insert(
        self, rows: Tensor, view: ViewSamples, scores: Tensor, keyframe_id: int, prefers_new: bool, member: int = 0
    ) -> Tensor:
        """Offer one view to the rows [m] it sees, with scores [m] > 0; returns the rows that changed.

        It takes an empty slot, or replaces the worst view of the same `member`, if it is better. A view without the
        features that the fusion uses gets zeros.
        """
        own = slice(member, None, self.members)
        scored, numbered = self.scores.index_select(0, rows)[:, own], self.keyframe_id.index_select(0, rows)[:, own]
        worst, slot = view_rank(scored, numbered, prefers_new).min(dim=1)
        slot = slot * self.members + member
        better = (scores > worst if not prefers_new else torch.ones_like(scores, dtype=torch.bool)).nonzero()[:, 0]
        rows = rows.index_select(0, better)
        place = rows * self.scores.shape[1] + slot.index_select(0, better)

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

        agreement = self.agreement if self.members > 1 else None
        probabilities = column(self.view_probabilities).float().div_(255)
        votes = Votes(probabilities, column(self.scores), column(self.keyframe_id), agreement=agreement)
        if not self.feature_count:
            return votes
        features = column(self.features).float().div_(_FEATURE_STEPS)
        return replace(votes, features=features, cues=column(self.cues).float())

    def fuse(self, rows: Tensor, fusion: Fusion) -> bool:
        """Fuse the views of rows [n] into `fused` and `support`; of all rows if the agreement has changed: True."""
        everywhere = fusion.reads_agreement and self.members > 1 and self._agreement_changed()
        if everywhere:
            rows = (self.voxel >= 0).nonzero()[:, 0]
        seen = self.scores.index_select(0, rows) > 0
        last = torch.where(seen, torch.arange(1, seen.shape[1] + 1, device=self.device), 0).amax(dim=1)
        order = last.argsort(descending=True)  # rows with similar numbers of views, so that few slots are empty
        size = part_size(len(rows), _CPU_CHUNK, _LEAST_CHUNK) if self.device.type == "cpu" else _CHUNK
        parts = [(rows[part], max(1, int(last[part[0]]))) for part in order.split(size) if len(part)]

        def fuse(part: tuple[Tensor, int]) -> None:
            votes = self.views_of(*part)
            self.fused[part[0]] = fusion.fuse(votes)
            self.support[part[0]] = 1 - 0.5 ** (votes.scores > 0).sum(dim=1)

        for_each(parts, fuse)
        return everywhere

    def _agreement_changed(self) -> bool:
        """Measure the agreement on some rows; False, and nothing is changed, if it is about the same as before."""
        rows = (self.voxel >= 0).nonzero()[:, 0]
        votes = self.views_of(rows[:: max(1, len(rows) // _SAMPLE)])
        found = self_agreement(votes.probabilities, votes.keyframe_id, votes.scores > 0, self.members)
        change = member_weights(found) / member_weights(self.agreement) - 1
        if float(change.abs().max()) < _WEIGHT_STEP:
            return False
        self.agreement = found
        return True

    def labels(self, rows: Tensor) -> Tensor:
        """Class index of rows [n] (row -1 = no row), int16, -1 = unlabelled."""
        best, index = self.probabilities[rows].max(dim=1)
        return torch.where((rows >= 0) & (best > 0), index, -1).to(torch.int16)
