"""Recipe of the map's learned fusion (GNeSF's soft voting, RGB-D mode): collected votes in, weights of a MapVoter out.

Heavy imports stand inside the methods, so that the command line reads the settings without them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.errors import TrainingError
from sem_field_ros.settings import check_settings, setting
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sem_field_ros.fusion.map_voter import MapVoter
    from sem_field_ros.fusion.residual_voter import ResidualVoter
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.training.samples.vote_samples import VoteSamples
    from sem_field_ros.training.samples.votes import SceneVotes


@dataclass(frozen=True)
class FusionTraining:
    """Settings of the training of a learned fusion, beside those of the loop."""

    pooling: str = setting(
        "linear",
        "linear: weighted mean (the paper); log: weighted product; logits, direct: the paper's ablations; residual: "
        "changes to the hand-made fusion `consistency`, without image features",
        choices=("linear", "log", "logits", "direct", "residual"),
    )
    features: int = setting(16, "image features that the map keeps of every view", minimum=1, maximum=128)
    views: int = setting(8, "maximum number of views that vote on a voxel", minimum=1, maximum=64)
    rows: int = setting(512, "voxels per sample, all of one scene", minimum=1)
    noise: float = setting(0.3, "share of the samples with corrupt views", minimum=0.0, maximum=1.0)
    corrupt_share: float = setting(
        0.3, "share of the corrupt views in such a sample", minimum=0.0, maximum=1.0, formerly=("spoilt_views",)
    )
    feature_dropout: float = setting(
        0.15, "share of the samples without image features, as from other segmenters", minimum=0.0, maximum=1.0
    )
    rare_power: float = setting(
        0.25, "weight of rare classes: the loss of a class is scaled by 1 / share^rare_power", minimum=0.0, maximum=1.0
    )
    seed: int = setting(0, "seed of data order, choice of views, noise, initial weights", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)


class FusionRecipe:
    """A Recipe over collected votes in memory; `data` describes them for the card.

    source  the segmenter of the votes: `segmenter`, its name, and `encoder`, see ClassProbabilities
    """

    def __init__(
        self,
        config: FusionTraining,
        labels: LabelSet,
        training: Sequence[SceneVotes],
        validation: Sequence[SceneVotes],
        data: dict[str, Any],
        source: dict[str, Any],
    ) -> None:
        from sem_field_ros.fusion.learned import KIND, RESIDUAL_KIND
        from sem_field_ros.training.samples.vote_samples import class_weights

        training, validation = ([scene for scene in scenes if len(scene)] for scenes in (training, validation))
        if not training or not validation:
            raise TrainingError("a learned fusion needs votes of at least one training and one validation scene")
        self.name = RESIDUAL_KIND if config.pooling == "residual" else KIND
        self.config, self.labels, self.data, self.source = config, labels, data, source
        self.training, self.validation = training, validation
        self._class_weights = class_weights(training, len(labels), config.rare_power)

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "source": self.source,
            "training_scenes": [f"{scene.name}: {len(scene)}" for scene in self.training],
            "validation_scenes": [f"{scene.name}: {len(scene)}" for scene in self.validation],
        }

    def build_model(self) -> MapVoter | ResidualVoter:
        from sem_field_ros.fusion.map_voter import MapVoter, MapVoterConfig
        from sem_field_ros.fusion.residual_voter import ResidualVoter, ResidualVoterConfig

        if self.config.pooling == "residual":
            return ResidualVoter(ResidualVoterConfig())
        encoder = self.training[0].features.shape[2]
        if not encoder:
            raise TrainingError(
                f"segmenter '{self.source['segmenter']}' gives no image features to learn from: "
                "choose homes or trained:PATH"
            )
        classes = len(self.labels) if self.config.pooling == "direct" else 0
        return MapVoter(MapVoterConfig(encoder, self.config.features, pooling=self.config.pooling, classes=classes))

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> VoteSamples:
        from sem_field_ros.training.samples.vote_samples import VoteDraw, VoteSamples

        c = self.config
        draw = VoteDraw(c.rows, c.views, c.noise, c.corrupt_share, c.feature_dropout, c.seed)
        return VoteSamples(self.training, draw)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy of the fused class probabilities (Eq. 6, at surface points)."""
        label = batch["label"]
        if self.config.pooling == "residual":
            fused = model(batch["probabilities"], batch["scores"], batch["agreement"])[0]
        else:
            fused = model(batch["probabilities"], batch["features"], batch["cues"], batch["scores"] > 0, raw=True)[0]
        losses = -fused.clamp(min=1e-6).log().gather(1, label[:, None])[:, 0]
        weights = self._class_weights.to(label.device)[label] * (batch["scores"] > 0).any(dim=1)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1e-6)
        return loss, {"accuracy": (fused.detach().argmax(dim=1) == label).float().mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """mIoU (`score`) and accuracy with the best views, as the map keeps them, and mIoU of the hand-made fusions."""
        from sem_field_ros.fusion.hand_made import HAND_MADE
        from sem_field_ros.fusion.map_voter import MapVoter
        from sem_field_ros.fusion.residual_voter import ResidualVoter
        from sem_field_ros.training.validation.vote_scores import learned, score_fusions

        assert isinstance(model, (MapVoter, ResidualVoter))
        found = score_fusions(self.validation, len(self.labels), {self.name: learned(model)}, views=self.config.views)
        scores = found[self.name].scores()
        return {
            "score": scores.miou,
            "miou": scores.miou,
            "accuracy": scores.accuracy,
            "classes": len(scores.iou),
            **{name: found[name].scores().miou for name in HAND_MADE},
            **{f"iou/{self.labels.names[c]}": value for c, value in scores.iou.items()},
        }

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        from sem_field_ros.training.model_card import save_trained

        save_trained(path, model, self, facts, self.source, self.labels)
