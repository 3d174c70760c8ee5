"""The learned vote (GNeSF) as a Fusion: a weight for each view of a voxel."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

from sem_field_ros.fusion.fast_map_voter import FastMapVoter
from sem_field_ros.fusion.hand_made import Votes
from sem_field_ros.fusion.map_voter import MAP_CUES, MapVoter, config_from_dict
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.weights import WeightsCard, load_into, load_weights

KIND = "gnesf_map"


class LearnedFusion:
    """Soft voting with a trained MapVoter. For views without image features, zeros are used."""

    prefers_new = False
    reads_agreement = False

    def __init__(self, voter: MapVoter, encoder: str = "", identity: str = "") -> None:
        """`encoder`: the encoder of the features in training, see ClassProbabilities; `identity`: see Fusion."""
        self.voter, self.encoder, self.identity = voter.eval(), encoder, identity
        self.feature_dim = voter.config.features
        self._moving = Lock()
        self._lay_out()

    def _lay_out(self) -> None:
        self._vote = FastMapVoter(self.voter) if FastMapVoter.can_do(self.voter) else self.voter

    def _follow(self, tensor: Tensor) -> None:
        """Move to the device of the votes; called from several threads."""
        with self._moving:
            if tensor.device != self.voter.projection.weight.device:
                self.voter.to(tensor.device)
                self._lay_out()

    @torch.inference_mode()
    def fuse(self, votes: Votes) -> Tensor:
        """See Fusion.fuse."""
        self._follow(votes.probabilities)
        n, k, _ = votes.probabilities.shape
        features = votes.probabilities.new_zeros(n, k, self.feature_dim) if votes.features is None else votes.features
        cues = votes.probabilities.new_zeros(n, k, MAP_CUES) if votes.cues is None else votes.cues
        fused, _ = self._vote(votes.probabilities, features, cues, votes.scores > 0)
        return fused / fused.sum(dim=1, keepdim=True).clamp(min=1e-9)  # probabilities in 8 bits do not sum to 1 exactly

    @torch.inference_mode()
    def project_features(self, probabilities: ClassProbabilities) -> Tensor | None:
        """See Fusion.project_features; None if there are no features, or those of another encoder."""
        features = probabilities.features
        if features is None or probabilities.encoder != self.encoder or features.shape[0] != self.voter.config.encoder:
            return None
        self._follow(features)
        return self.voter.project_features(features[None].float())[0]


def load_fusion(path: str | Path) -> tuple[LearnedFusion, WeightsCard]:
    """A learned fusion from a weights file. Raises WeightsError in one line."""
    state, card = load_weights(path, KIND)
    voter = MapVoter(config_from_dict(card.architecture))
    load_into(voter, state, str(path))
    return LearnedFusion(voter, str(card.output.get("encoder", "")), card.sha256[:12]), card
