"""Samples for the training of a fusion: voxels of a scene with some of their views, some of which are corrupt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.fusion.agreement import EXPECTED
from sem_field_ros.fusion.hand_made import best_slots
from sem_field_ros.training.loop.recipe import random_for
from sem_field_ros.training.samples.labelled_frames import loss_weights
from sem_field_ros.training.samples.vote_noise import corrupt_views
from sem_field_ros.training.samples.votes import SceneVotes, random_slots


@dataclass(frozen=True)
class VoteDraw:
    """`rows` voxels per sample with at most `views` views each.

    noise  share of the samples with corrupt views      corrupt_share  share of the views that are corrupt there
    feature_dropout  share of the samples without image features
    """

    rows: int
    views: int
    noise: float
    corrupt_share: float
    feature_dropout: float
    seed: int


class VoteSamples:
    """The voxels of one scene per sample; a scene is drawn in proportion to its voxels.

    probabilities [n, K, C], features [n, K, E] (NaN: without features), cues [n, K, CUES], scores [n, K] (0 = empty
    slot), agreement [n, M] (self_agreement), label [n] int64, with K = draw.views * M, the vote in slot k by segmenter
    number k % M. M is that of the scene with the most; others have empty slots instead.
    """

    def __init__(self, scenes: Sequence[SceneVotes], draw: VoteDraw) -> None:
        self._scenes, self._draw = scenes, draw
        self._members = max(scene.members for scene in scenes)
        voxels = np.array([len(scene) for scene in scenes], float)
        self._share = voxels / voxels.sum()

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        draw = self._draw
        rng = random_for(draw.seed, 0, n)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        scene = self._scenes[rng.choice(len(self._scenes), p=self._share)]
        rows = torch.randint(len(scene), (draw.rows,), generator=generator)
        best = rng.random() < 0.5
        slots = scene.slots(
            rows, lambda rank: best_slots(rank, draw.views) if best else random_slots(rank, draw.views, generator)
        )
        votes = scene.votes(rows, slots)
        assert votes.features is not None and votes.cues is not None
        probabilities, features = votes.probabilities, votes.features
        if rng.random() < draw.noise:
            views = scene.view_id[rows[:, None], slots.clamp(min=0)]
            probabilities = corrupt_views(probabilities, views, draw.corrupt_share, generator)
        if rng.random() < draw.feature_dropout:
            features = torch.full_like(features, torch.nan)  # zeros would be features of their own
        parts = {"probabilities": probabilities, "features": features, "cues": votes.cues, "scores": votes.scores}
        agreement = torch.full((draw.rows, self._members), EXPECTED)
        if scene.agreement is not None:
            agreement[:, : scene.members] = scene.agreement
        spread = {name: _spread(part, scene.members, draw.views, self._members) for name, part in parts.items()}
        return {**spread, "agreement": agreement, "label": scene.label[rows]}

    def collate(self, samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The voxels of all samples, one after the other."""
        return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}


def class_weights(scenes: Sequence[SceneVotes], classes: int, power: float) -> Tensor:
    """Weight of each class in the loss, [classes] float32, see loss_weights; every scene counts alike."""
    shares = np.stack([np.bincount(scene.label.numpy(), minlength=classes) / len(scene) for scene in scenes])
    return torch.from_numpy(loss_weights(shares, power)).float()


def _spread(values: Tensor, members: int, views: int, most: int) -> Tensor:
    """Values of slots [n, k * members, ...] -> [n, views * most, ...], with empty slots in between and behind them."""
    values = values.unflatten(1, (-1, members))
    spread = values.new_zeros(len(values), views, most, *values.shape[3:])
    spread[:, : values.shape[1], :members] = values
    return spread.flatten(1, 2)
