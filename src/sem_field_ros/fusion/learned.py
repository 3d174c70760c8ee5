"""The learned votes as Fusions: GNeSF's, a weight for each view of a voxel, and the residual on a hand-made fusion."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import torch
from torch import Tensor
from torch.nn.functional import pad

from sem_field_ros.fusion.agreement import EXPECTED
from sem_field_ros.fusion.fast_map_voter import FastMapVoter
from sem_field_ros.fusion.hand_made import Votes
from sem_field_ros.fusion.map_voter import MAP_CUES, MapVoter, config_from_dict
from sem_field_ros.fusion.residual_voter import ResidualVoter, residual_config
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.weights import WeightsCard, load_card, load_into, load_weights

KIND = "gnesf_map"
RESIDUAL_KIND = "residual_vote"


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


class ResidualFusion:
    """`consistency` with the changes that a trained ResidualVoter makes to it. Reads no image features."""

    prefers_new = False
    reads_agreement = True
    feature_dim = 0
    identity = encoder = ""

    def __init__(self, voter: ResidualVoter) -> None:
        self.voter = voter.eval()
        self._moving = Lock()

    @torch.inference_mode()
    def fuse(self, votes: Votes) -> Tensor:
        """See Fusion.fuse."""
        device = votes.probabilities.device
        with self._moving:  # called from several threads
            if device != self.voter.layers[0].weight.device:
                self.voter.to(device)
        fused, _ = self.voter(*residual_inputs(votes))
        return fused / fused.sum(dim=1, keepdim=True).clamp(min=1e-9)

    def project_features(self, probabilities: ClassProbabilities) -> Tensor | None:
        """See Fusion.project_features: there are none."""
        return None


def residual_inputs(votes: Votes) -> tuple[Tensor, Tensor, Tensor]:
    """What ResidualVoter.forward takes: empty slots are added to those of the last keyframe, if any are missing."""
    p, scores, agreement = votes.probabilities, votes.scores, votes.agreement
    if agreement is None:
        return p, scores, scores.new_full((1,), EXPECTED)
    missing = -scores.shape[1] % len(agreement)
    return pad(p, (0, 0, 0, missing)), pad(scores, (0, missing)), agreement


def load_fusion(path: str | Path) -> tuple[LearnedFusion | ResidualFusion, WeightsCard]:
    """A learned fusion from a weights file. Raises WeightsError in one line."""
    if load_card(path).kind == RESIDUAL_KIND:
        state, card = load_weights(path, RESIDUAL_KIND)
        residual = ResidualVoter(residual_config(card.architecture))
        load_into(residual, state, str(path))
        return ResidualFusion(residual), card
    state, card = load_weights(path, KIND)
    voter = MapVoter(config_from_dict(card.architecture))
    load_into(voter, state, str(path))
    return LearnedFusion(voter, str(card.output.get("encoder", "")), card.sha256[:12]), card
