"""Scores ways to fuse on collected votes: the voxels of labelled scenes, the same views for every way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.fields.gnesf.map_voting import MapVoter
from sem_field_ros.mapping.fusion import HAND_MADE, Votes
from sem_field_ros.training.map_votes import SceneVotes, best_slots
from sem_field_ros.training.vote_noise import spoil_views

Fuse = Callable[[Votes], Tensor]  # votes with features as the encoder gives them -> class probabilities [N, C]
_CHUNK = 16_384


def learned(voter: MapVoter, reads_features: bool = True) -> Fuse:
    """A voter as it stands, for `score_fusions`; without features where they are not those of its own encoder."""

    def fuse(votes: Votes) -> Tensor:
        device = next(voter.parameters()).device
        assert votes.features is not None and votes.cues is not None
        features = votes.features
        if not reads_features:
            features = votes.samples.new_zeros(*votes.scores.shape, voter.config.features)
        parts = (part.to(device) for part in (votes.samples, features, votes.cues, votes.scores > 0))
        fused: Tensor = voter(*parts, raw=reads_features)[0]
        return fused.cpu()

    return fuse


def score_fusions(
    scenes: Iterable[SceneVotes],
    classes: int,
    voters: Mapping[str, Fuse],
    *,
    views: int,
    spoilt: float = 0.0,
    seed: int = 0,
) -> dict[str, Confusion]:
    """Confusion of every learned and every hand-made fusion over all voxels of `scenes`, with the `views` best views.

    spoilt  share of the views of each scene whose probabilities are spoilt (vote_noise), the same for every fusion
    """
    found = {name: Confusion(classes) for name in (*voters, *HAND_MADE)}
    for scene in scenes:
        said = spoilt_scene(scene, spoilt, seed) if spoilt else scene
        for rows in torch.arange(len(said)).split(_CHUNK):
            votes = said.votes(rows, best_slots(said.scores[rows], views))
            label = said.label[rows].numpy()
            for name, fuse in voters.items():
                found[name].add(label, _top(fuse(votes)))
            for name, kind in HAND_MADE.items():
                fusion = kind()
                found[name].add(label, _top(fusion.fuse(_newest(said, rows) if fusion.prefers_new else votes)))
    return found


def spoilt_scene(scene: SceneVotes, share: float, seed: int) -> SceneVotes:
    """The scene with about `share` of its views spoilt."""
    generator = torch.Generator().manual_seed(seed)
    samples = spoil_views(scene.samples.float() / 255, scene.order, share, generator)
    return replace(scene, samples=(samples * 255 + 0.5).to(torch.uint8))


def _newest(scene: SceneVotes, rows: Tensor) -> Votes:
    """Last wins keeps the newest view, not the best."""
    age = torch.where(scene.scores[rows] > 0, scene.order[rows].float() + 1, 0)
    return scene.votes(rows, best_slots(age, 1))


def _top(fused: Tensor) -> np.ndarray:
    best, index = fused.max(dim=1)
    return torch.where(best > 0, index, -1).numpy()
