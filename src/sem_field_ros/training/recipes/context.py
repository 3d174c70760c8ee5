"""Recipe of the context network: mapped scenes with true labels in, weights of a ContextNet out.

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

    from sem_field_ros.context.network import ContextNet
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.training.samples.context_samples import ContextSamples
    from sem_field_ros.training.samples.context_scenes import ContextScene


@dataclass(frozen=True)
class ContextTraining:
    """Settings of the training of a context network, beside those of the loop."""

    width: int = setting(32, "channels of patches and cells", minimum=4, maximum=256)
    wide: int = setting(48, "channels of blocks and of the last layer", minimum=4, maximum=256)
    made_up: float = setting(
        0.25,
        "share of the samples with predictions of made-up segmenters; as many mix these with real ones",
        minimum=0.0,
        maximum=0.5,
    )
    damage: float = setting(
        1.0, "holes, noise, missing views and errors of the floor; 0 = none", minimum=0.0, maximum=2.0
    )
    rare_power: float = setting(
        0.25, "weight of rare classes: the loss of a class is scaled by 1 / share^rare_power", minimum=0.0, maximum=1.0
    )
    restraint: float = setting(
        0.01, "weight of the mean squared correction: corrects only what pays", minimum=0.0, maximum=10.0
    )
    strength: float = setting(
        1.0, "factor of the corrections, kept with the weights; not used in training", minimum=0.0, maximum=2.0
    )
    seed: int = setting(0, "seed of data order, changes of the samples, initial weights", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)


class ContextRecipe:
    """A Recipe over mapped scenes in memory; `data` describes them for the card."""

    def __init__(
        self,
        config: ContextTraining,
        labels: LabelSet,
        training: Sequence[ContextScene],
        validation: Sequence[ContextScene],
        data: dict[str, Any],
    ) -> None:
        from sem_field_ros.context.room_context import KIND
        from sem_field_ros.training.samples.context_scenes import class_weights

        training, validation = ([s for s in scenes if (s.label >= 0).any()] for scenes in (training, validation))
        if not training or not validation:
            raise TrainingError("a context network needs at least one labelled training and one validation scene")
        self.name = KIND
        self.config, self.labels, self.data = config, labels, data
        self.training, self.validation = training, validation
        self._class_weights = class_weights(training, len(labels), config.rare_power)

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "training_scenes": [f"{scene.name}: {len(scene)}" for scene in self.training],
            "validation_scenes": [f"{scene.name}: {len(scene)}" for scene in self.validation],
        }

    def build_model(self) -> ContextNet:
        from sem_field_ros.context.network import ContextConfig, ContextNet

        return ContextNet(ContextConfig(len(self.labels), width=self.config.width, wide=self.config.wide))

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> ContextSamples:
        from sem_field_ros.training.samples.context_samples import ContextDraw, ContextSamples

        return ContextSamples(self.training, ContextDraw(self.config.made_up, self.config.damage, self.config.seed))

    def loss(self, model: nn.Module, batch: list[dict[str, Tensor]]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy of the corrected probabilities of points with a view, plus `restraint`."""
        import torch

        from sem_field_ros.context.network import corrected
        from sem_field_ros.training.samples.context_samples import unpacked

        losses, right = [], []
        for part in batch:
            sample = unpacked(part)
            correction = model(sample.surface)
            at = ((sample.label >= 0) & (sample.surface.support > 0)).nonzero()[:, 0]
            label, probabilities = sample.label[at], corrected(sample.surface.fused, correction)[at]
            weights = self._class_weights.to(label.device)[label]
            of_points = -probabilities.clamp(min=1e-6).log().gather(1, label[:, None])[:, 0]
            entropy = (of_points * weights).sum() / weights.sum().clamp(min=1e-6)
            losses.append(entropy + self.config.restraint * correction.square().mean())
            right.append((probabilities.detach().argmax(dim=1) == label).float())
        return torch.stack(losses).mean(), {"accuracy": torch.cat(right).mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mean mIoU over the sources of predictions (`score`), and of each source with and without correction."""
        from sem_field_ros.context.network import ContextNet
        from sem_field_ros.training.validation.context_scores import score_context

        assert isinstance(model, ContextNet)
        found = score_context(model, self.validation)
        out = {"score": sum(after.miou for _, after in found.values()) / len(found)}
        for source, (before, after) in found.items():
            out |= {f"before/{source}": before.miou, f"after/{source}": after.miou}
        out["before"] = sum(before.miou for before, _ in found.values()) / len(found)
        return out

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        from sem_field_ros.training.model_card import save_trained

        save_trained(path, model, self, facts, {"strength": self.config.strength}, self.labels)
