"""Votes on the surface voxels of labelled scenes: what learned fusions are trained on and all fusions are scored on.

A scene is mapped as a robot would map it. Then each voxel is projected into the keyframes that see it, for the votes
(class probabilities, image features, cues), and into the label images of all frames, for its class. Only 2-D labels are
used. Of combined segmenters each has votes of its own, as in the map.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.errors import DataError
from sem_field_ros.fields.common.visibility import visible_by_sdf
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.fusion.agreement import self_agreement
from sem_field_ros.fusion.hand_made import CUES, Votes, view_scores
from sem_field_ros.fusion.registry import VISIBILITIES
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.point_query import signed_distance
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.mapping.view_samples import ViewSamples, sample_view
from sem_field_ros.segmentation.external import ExternalSegmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter

_Labelled = tuple[PosedFrame, ClassProbabilities]
_SAMPLE = 2048  # voxels that the agreement is measured on, up to twice as many
_MIN_SHARE = 0.7  # share of the label images that must agree on the class of a voxel: leaves out borders


@dataclass(frozen=True)
class SceneVotes:
    """The votes on R voxels of one scene by up to S / M views of each of M segmenters, the best first.

    probabilities [R, S, C] uint8 (255 = 1)     features [R, S, E] float16, of the first segmenter's encoder (E = 0:
    none), NaN for segmenters with another      cues [R, S, CUES] float16
    scores [R, S] float32, 0 = empty            keyframe_id [R, S] int32
    label [R] int64 class index                 members  M; the vote in slot s is by segmenter number s % M
    """

    name: str
    probabilities: Tensor
    features: Tensor
    cues: Tensor
    scores: Tensor
    keyframe_id: Tensor
    label: Tensor
    members: int = 1

    def __len__(self) -> int:
        return len(self.label)

    @cached_property
    def agreement(self) -> Tensor | None:
        """Agreement [M] of the segmenters with themselves, see self_agreement; None with one segmenter."""
        if self.members == 1:
            return None
        rows = slice(None, None, max(1, len(self) // _SAMPLE))
        return self_agreement(
            self.probabilities[rows].float(), self.keyframe_id[rows], self.scores[rows] > 0, self.members
        )

    @property
    def view_id(self) -> Tensor:
        """Names the views, [R, S]: segmenters and keyframes have different ones."""
        member = torch.arange(self.scores.shape[1], dtype=torch.int32) % self.members
        return self.keyframe_id * self.members + member

    def slots(self, rows: Tensor, choose: Callable[[Tensor], Tensor], rank: Tensor | None = None) -> Tensor:
        """Slots [n, k * M] for `votes` on rows [n]: of each segmenter those that `choose` returns of its ranks.

        choose  ranks [n, V] of a segmenter's votes -> indices [n, k], -1 = none      rank [n, S], default the scores
        """
        rank, m = self.scores[rows] if rank is None else rank, self.members
        chosen = torch.stack([choose(rank[:, member::m]) for member in range(m)], dim=2)
        return torch.where(chosen >= 0, chosen * m + torch.arange(m), -1).flatten(1)

    def votes(self, rows: Tensor, slots: Tensor) -> Votes:
        """Votes on rows [n] by the views in `slots` [n, k] (column indices; a negative one leaves its slot empty)."""
        pick = slots.clamp(min=0)
        at = rows[:, None]
        seen = slots >= 0
        scores = self.scores[at, pick] * seen
        return Votes(
            self.probabilities[at, pick].float() / 255 * (scores > 0)[..., None],
            scores,
            self.keyframe_id[at, pick],
            self.features[at, pick].float(),
            self.cues[at, pick].float(),
            self.agreement,
        )


def collect_votes(
    sequence: SequenceReader,
    segmenter: Segmenter,
    config: MapConfig,
    *,
    max_views: int = 16,
    max_voxels: int = 8000,
    visibility: str = "depth",
    seed: int = 0,
    on_progress: Callable[[], None] | None = None,
) -> SceneVotes:
    """Map a labelled sequence and collect the vote of every keyframe on every voxel that it sees.

    visibility  how to decide what a view sees. depth: by its depth image, as the map does; sdf: by marching along the
                signed distance of the map, as the paper does; none: every voxel in the image that faces the camera
                (ablation, Table 4)
    on_progress  called once per frame that is mapped
    Raises DataError if the sequence has no labels or no depth.
    """
    assert visibility in VISIBILITIES, visibility
    if sequence.labels is None:
        raise DataError(f"sequence {sequence.name} has no label images: votes are collected on labelled sequences")
    mapper = Mapper(config, segmenter)
    truth = ExternalSegmenter(segmenter.labels, sequence.labels, config.label_width)
    predictions, true_views = _mapped(sequence, mapper, truth, on_progress)
    rows = (mapper.map.votes.voxel >= 0).nonzero()[:, 0]
    if not predictions or not true_views or len(rows) == 0:
        raise DataError(f"sequence {sequence.name}: no frame with depth and labels could be mapped")
    position, normal = mapper.map.votes.position[rows], mapper.map.votes.normal[rows]
    tolerance = 1.5 * config.voxel_size_m
    label = _labels_of(position, normal, true_views, tolerance, len(segmenter.labels))
    kept = (label >= 0).nonzero()[:, 0]
    order = torch.randperm(len(kept), generator=torch.Generator().manual_seed(seed))[:max_voxels]
    kept = kept[order].sort().values

    def distance(points: Tensor) -> Tensor:
        return signed_distance(mapper.map.volume, points)

    # free space that other views see behind a thin surface shortens its inside: steps of half the truncation find it
    observation = _Observation(visibility, tolerance, distance, 0.5 * mapper.map.volume.config.truncation_m)
    surface = position[kept], normal[kept], label[kept]
    members = len(predictions[0][1].views)
    return _together(
        [
            _collect(sequence.name, *surface, _of_member(predictions, member), observation, max_views)
            for member in range(members)
        ]
    )


def _of_member(predictions: list[_Labelled], member: int) -> list[_Labelled]:
    """The predictions of one of the combined segmenters; features only if they are of the first one's encoder."""
    found = []
    for frame, probabilities in predictions:
        own = probabilities.views[member]
        first = probabilities.views[0]
        same = own.encoder == first.encoder and own.features is not None
        found.append((frame, own if same else replace(own, features=None)))
    return found


def _together(parts: list[SceneVotes]) -> SceneVotes:
    """The votes of several segmenters on the same voxels; features of those without: NaN."""
    width = max(part.features.shape[2] for part in parts)

    def mixed(values: list[Tensor]) -> Tensor:
        return torch.stack(values, dim=2).flatten(1, 2)

    features = [
        part.features
        if part.features.shape[2] == width
        else part.features.new_full((*part.scores.shape, width), torch.nan)
        for part in parts
    ]
    return replace(
        parts[0],
        probabilities=mixed([part.probabilities for part in parts]),
        features=mixed(features),
        cues=mixed([part.cues for part in parts]),
        scores=mixed([part.scores for part in parts]),
        keyframe_id=mixed([part.keyframe_id for part in parts]),
        members=len(parts),
    )


def _mapped(
    sequence: SequenceReader, mapper: Mapper, truth: ExternalSegmenter, on_progress: Callable[[], None] | None
) -> tuple[list[_Labelled], list[_Labelled]]:
    """Map the frames with depth. Returns the keyframes with their predictions, and labelled frames with the truth."""
    predictions: list[_Labelled] = []
    true_views: list[_Labelled] = []
    for frame in read_frames(sequence):
        if not isinstance(frame, PosedFrame) or frame.depth is None:
            continue
        result = mapper.register_frame(frame)
        frame = mapper.map.origin.local(frame)  # where the map's voxels are
        if result.probabilities is not None:
            predictions.append((frame, result.probabilities))
        if frame.labels is not None:
            true_views.append((frame, truth.segment(frame)))
        if on_progress:
            on_progress()
    mapper.map.surface()
    return predictions, true_views


@dataclass(frozen=True)
class _Observation:
    """How to decide what a view sees, see collect_votes."""

    visibility: str
    tolerance_m: float
    sdf: Callable[[Tensor], Tensor]
    step_m: float

    def view(self, position: Tensor, normal: Tensor, frame: PosedFrame, predictions: ClassProbabilities) -> ViewSamples:
        if self.visibility == "depth":
            return sample_view(position, normal, frame, predictions, self.tolerance_m)
        view = sample_view(position, normal, frame, predictions, math.inf)
        if self.visibility == "none":
            return view
        origin = torch.from_numpy(frame.T_world_camera[:3, 3].astype(np.float32))
        kept = visible_by_sdf(self.sdf, origin[None], position[view.seen], self.step_m)[:, 0]
        seen = view.seen.clone()
        seen[view.seen] = kept
        features = None if view.features is None else view.features[kept]
        values = view.probabilities[kept], view.distance[kept], view.cosine[kept], view.cues[kept], features
        return ViewSamples(seen, *values)


def _labels_of(
    position: Tensor,
    normal: Tensor,
    true_views: list[_Labelled],
    tolerance: float,
    classes: int,
) -> Tensor:
    """Class index [R] that the label images agree on, -1 where they do not, or where none is labelled."""
    total = torch.zeros(len(position), classes)
    for frame, probabilities in true_views:
        view = sample_view(position, normal, frame, probabilities, tolerance)
        total[view.seen] += view.probabilities
    best, label = total.max(dim=1)
    return torch.where(best > _MIN_SHARE * total.sum(dim=1).clamp(min=1e-6), label, -1)


def _collect(
    name: str,
    position: Tensor,
    normal: Tensor,
    label: Tensor,
    predictions: list[_Labelled],
    observation: _Observation,
    max_views: int,
) -> SceneVotes:
    """The votes of one segmenter in the best `max_views` keyframes on every voxel."""
    rows, columns = len(position), min(max_views, len(predictions))
    first = predictions[0][1]
    width = 0 if first.features is None else first.features.shape[0]
    scores = torch.zeros(rows, len(predictions))
    views = []
    for i, (frame, probabilities) in enumerate(predictions):
        view = observation.view(position, normal, frame, probabilities)
        scores[view.seen, i] = view_scores(view.distance, view.cosine)
        views.append(view)
    best, slot = scores.topk(columns, dim=1)
    votes = SceneVotes(
        name,
        torch.zeros(rows, columns, first.values.shape[0], dtype=torch.uint8),
        torch.zeros(rows, columns, width, dtype=torch.float16),
        torch.zeros(rows, columns, CUES, dtype=torch.float16),
        best,
        slot.int(),
        label,
    )
    for i, view in enumerate(views):
        row, column = ((slot == i) & (best > 0)).nonzero(as_tuple=True)
        at = (view.seen.cumsum(0) - 1)[row]
        votes.probabilities[row, column] = (view.probabilities[at] * 255 + 0.5).to(torch.uint8)
        votes.cues[row, column] = view.cues[at].half()
        if view.features is not None:
            votes.features[row, column] = view.features[at].half()
    return votes


def random_slots(scores: Tensor, views: int, generator: torch.Generator) -> Tensor:
    """Some views of each voxel at random, at least one if it has any: column indices [n, views], -1 = empty."""
    count = scores.shape[1]
    rank = torch.rand(scores.shape, generator=generator).masked_fill(scores <= 0, -1.0)
    slot = rank.topk(min(views, count), dim=1).indices
    wanted = torch.randint(1, slot.shape[1] + 1, (len(slot), 1), generator=generator)
    empty = (scores.gather(1, slot) <= 0) | (torch.arange(slot.shape[1]) >= wanted)
    return torch.where(empty, -1, slot)
