"""Training recipe of the map's learned vote (GNeSF, RGB-D mode): collected votes in, weights of a MapVoter out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sem_field_ros.errors import TrainingError
from sem_field_ros.fusion.hand_made import HAND_MADE
from sem_field_ros.fusion.learned import KIND
from sem_field_ros.fusion.map_voter import MapVoter, MapVoterConfig
from sem_field_ros.labels import LabelSet, label_set_to_dict
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed, random_for
from sem_field_ros.training.model_card import trained
from sem_field_ros.training.recipes.fusion_settings import MapVoterTraining
from sem_field_ros.training.samples.labelled_frames import loss_weights
from sem_field_ros.training.samples.vote_noise import corrupt_views
from sem_field_ros.training.samples.votes import SceneVotes, best_slots, random_slots
from sem_field_ros.training.vote_scores import learned, score_fusions
from sem_field_ros.weights import WeightsCard, save_weights


class MapVoterRecipe:
    """A Recipe over votes in memory, which `data` describes for the card.

    source  whose votes they are: `segmenter`, its name, and `encoder`, see ClassProbabilities
    """

    name = KIND

    def __init__(
        self,
        config: MapVoterTraining,
        labels: LabelSet,
        training: Sequence[SceneVotes],
        validation: Sequence[SceneVotes],
        data: dict[str, Any],
        source: dict[str, Any],
    ) -> None:
        training, validation = ([scene for scene in scenes if len(scene)] for scenes in (training, validation))
        if not training or not validation:
            raise TrainingError("a map voter needs votes of at least one training and one validation scene")
        self.config, self.labels, self.data, self.source = config, labels, data, source
        self.training, self.validation = list(training), list(validation)
        self._share = np.array([len(scene) for scene in self.training], float)
        self._share /= self._share.sum()
        shares = np.stack([np.bincount(scene.label.numpy(), minlength=len(labels)) / len(scene) for scene in training])
        self._weights = torch.from_numpy(loss_weights(shares, config.rare_power)).float()

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "source": self.source,
            "training_scenes": [f"{scene.name}: {len(scene)}" for scene in self.training],
            "validation_scenes": [f"{scene.name}: {len(scene)}" for scene in self.validation],
        }

    def build_model(self) -> MapVoter:
        encoder = self.training[0].features.shape[2]
        if not encoder:
            raise TrainingError(f"segmenter '{self.source['segmenter']}' gives no image features to vote with")
        classes = len(self.labels) if self.config.pooling == "direct" else 0
        return MapVoter(MapVoterConfig(encoder, self.config.features, pooling=self.config.pooling, classes=classes))

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> MapVoterRecipe:
        return self

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        """Sample n: some voxels of one scene with some of their views, now and then corrupt."""
        config = self.config
        rng = random_for(config.seed, 0, n)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        scene = self.training[rng.choice(len(self.training), p=self._share)]
        rows = torch.randint(len(scene), (config.rows,), generator=generator)
        scores, best = scene.scores[rows], rng.random() < 0.5
        slots = best_slots(scores, config.views) if best else random_slots(scores, config.views, generator)
        votes = scene.votes(rows, slots)
        assert votes.features is not None and votes.cues is not None
        probabilities, features = votes.probabilities, votes.features
        if rng.random() < config.noise:
            probabilities = corrupt_views(probabilities, votes.keyframe_id, config.corrupt_share, generator)
        if rng.random() < config.feature_dropout:
            features = torch.full_like(features, torch.nan)  # see loss: no features is not the same as zeros
        missing = config.views - slots.shape[1]
        parts = {"probabilities": probabilities, "features": features, "cues": votes.cues, "scores": votes.scores}
        return {name: _padded(part, missing) for name, part in parts.items()} | {"label": scene.label[rows]}

    def collate(self, samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy of the voted distribution (Eq. 6, at surface points)."""
        label = batch["label"]
        fused = model(batch["probabilities"], batch["features"], batch["cues"], batch["scores"] > 0, raw=True)[0]
        losses = -fused.clamp(min=1e-6).log().gather(1, label[:, None])[:, 0]
        weights = self._weights.to(label.device)[label] * (batch["scores"] > 0).any(dim=1)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1e-6)
        return loss, {"accuracy": (fused.detach().argmax(dim=1) == label).float().mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """mIoU (`score`) and accuracy with the best views, as the map keeps them, and mIoU of every baseline."""
        assert isinstance(model, MapVoter)
        found = score_fusions(self.validation, len(self.labels), {KIND: learned(model)}, views=self.config.views)
        scores = found[KIND].scores()
        return {
            "score": scores.miou,
            "miou": scores.miou,
            "accuracy": scores.accuracy,
            "classes": len(scores.iou),
            **{name: found[name].scores().miou for name in HAND_MADE},
            **{f"iou/{self.labels.names[c]}": value for c, value in scores.iou.items()},
        }

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        """Write the weights with the validation's scores."""
        assert isinstance(model, MapVoter)
        card = WeightsCard(KIND, model.config.as_dict(), label_set_to_dict(self.labels), self.source, self.data)
        save_weights(path, model.state_dict(), trained(card, self.config, facts))


def _padded(values: Tensor, slots: int) -> Tensor:
    """Empty view slots behind those of [n, k, ...]."""
    if not slots:
        return values
    return torch.cat([values, values.new_zeros(len(values), slots, *values.shape[2:])], dim=1)
