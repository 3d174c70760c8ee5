"""Scores of fusions on collected votes: the same voxels and views of labelled scenes for every fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.fusion.hand_made import HAND_MADE, Votes, best_slots, view_rank
from sem_field_ros.fusion.learned import residual_inputs
from sem_field_ros.fusion.map_voter import MapVoter
from sem_field_ros.fusion.residual_voter import ResidualVoter
from sem_field_ros.training.samples.vote_noise import corrupt_views
from sem_field_ros.training.samples.votes import SceneVotes

Fuse = Callable[[Votes], Tensor]  # votes with the features of the encoder -> class probabilities [N, C]
_CHUNK = 16_384


def learned(voter: MapVoter | ResidualVoter, reads_features: bool = True) -> Fuse:
    """A learned voter for `score_fusions`; without features if they are of another encoder than in its training."""

    def fuse(votes: Votes) -> Tensor:
        device = next(voter.parameters()).device
        if isinstance(voter, ResidualVoter):
            result: Tensor = voter(*(part.to(device) for part in residual_inputs(votes)))[0]
            return result.cpu()
        assert votes.features is not None and votes.cues is not None
        features = votes.features
        if not reads_features:
            features = votes.probabilities.new_zeros(*votes.scores.shape, voter.config.features)
        parts = (part.to(device) for part in (votes.probabilities, features, votes.cues, votes.scores > 0))
        fused: Tensor = voter(*parts, raw=reads_features)[0]
        return fused.cpu()

    return fuse


def score_fusions(
    scenes: Iterable[SceneVotes],
    classes: int,
    voters: Mapping[str, Fuse],
    *,
    views: int,
    corrupt: float = 0.0,
    seed: int = 0,
) -> dict[str, Confusion]:
    """Confusion of `voters` and of the hand-made fusions over all voxels of `scenes`, with the `views` best views.

    corrupt  share of the views of each scene with corrupt probabilities (vote_noise), the same for every fusion
    """
    found = {name: Confusion(classes) for name in (*voters, *HAND_MADE)}
    for scene in scenes:
        predictions = corrupt_scene(scene, corrupt, seed) if corrupt else scene
        for rows in torch.arange(len(predictions)).split(_CHUNK):
            votes = predictions.votes(rows, predictions.slots(rows, lambda rank: best_slots(rank, views)))
            label = predictions.label[rows].numpy()
            for name, fuse in voters.items():
                found[name].add(label, _top(fuse(votes)))
            for name, kind in HAND_MADE.items():
                fusion = kind()
                found[name].add(label, _top(fusion.fuse(_newest(predictions, rows) if fusion.prefers_new else votes)))
    return found


def corrupt_scene(scene: SceneVotes, share: float, seed: int) -> SceneVotes:
    """The scene with about `share` of its views corrupt."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = corrupt_views(scene.probabilities.float() / 255, scene.view_id, share, generator)
    return replace(scene, probabilities=(probabilities * 255 + 0.5).to(torch.uint8))


def _newest(scene: SceneVotes, rows: Tensor) -> Votes:
    """The newest vote of each segmenter on each voxel, for the fusion that keeps the last ones."""
    rank = view_rank(scene.scores[rows], scene.keyframe_id[rows], prefers_new=True)
    return scene.votes(rows, scene.slots(rows, lambda own: best_slots(own, 1), rank))


def _top(fused: Tensor) -> np.ndarray:
    best, index = fused.max(dim=1)
    return torch.where(best > 0, index, -1).numpy()
