"""Recipe of a GSNeRF: target views and their sources in, weights of the field out (Sec. 4 and appendix A).

Losses: squared error of rendered colours (Eq. 5), cross entropy of rendered classes (Eq. 15), and of the source depth
either its error against depth images (Eq. 6) or the self-supervised loss (Eq. 18).

Heavy imports stand inside the methods, so that the command line reads the settings without them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.settings import check_settings, setting
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sem_field_ros.fields.gsnerf.config import GsnerfConfig
    from sem_field_ros.fields.gsnerf.source_depth import SourceDepth
    from sem_field_ros.fields.gsnerf.window import WindowPass
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.training.samples.posed_scenes import PosedScene
    from sem_field_ros.training.samples.target_views import TargetViews

KIND = "gsnerf_field"


@dataclass(frozen=True)
class GsnerfTraining:
    """Settings of the training of a GSNeRF, beside those of the loop."""

    network: str = setting(
        "compact", "size of the field; paper is for ScanNet, tiny for tests", choices=("compact", "paper", "tiny")
    )
    semantics: str = setting(
        "segmenter",
        "labels from the source views' class probabilities, or from the paper's decoder of image features",
        choices=("segmenter", "decoder"),
    )
    depth: str = setting(
        "supervised",
        "loss of the source depth: supervised by depth images (Eq. 6), self by matching images (Eq. 18), or none",
        choices=("supervised", "self", "none"),
    )
    sampling: str = setting(
        "guided", "samples by the target depth (Eq. 8) or uniform (ablation)", choices=("guided", "uniform")
    )
    labels_at: str = setting(
        "surface", "classes at one surface point or along the ray (ablation)", choices=("surface", "ray")
    )
    masks: bool = setting(True, "views that do not see a point are left out (ablation)")
    samples: int = setting(0, "samples of a ray; 0 = the network's", minimum=0)
    image_width: int = setting(320, "width of the images, pixels", minimum=32)
    views: int = setting(8, "source views of a target view", minimum=2)
    depth_views: int = setting(
        1, "source views of each window whose depth is predicted; the others have their depth images", minimum=0
    )
    rays: int = setting(1024, "rays rendered of each target view", minimum=1)
    mixed_share: float = setting(0.0, "share of the steps with half of the samples uniform (appendix A.4)", minimum=0.0)
    depth_errors: float = setting(0.5, "share of the windows whose given depth has errors", minimum=0.0)
    color_weight: float = setting(10.0, "weight of the error of rendered colours", minimum=0.0)
    class_weight: float = setting(0.5, "weight of the cross entropy of rendered classes", minimum=0.0)
    depth_weight: float = setting(1.0, "weight of the loss of the source depth", minimum=0.0)
    validation_windows: int = setting(16, "number of validation windows, evenly spread over the scenes", minimum=1)
    seed: int = setting(0, "seed of the windows, initial weights", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)


class GsnerfRecipe:
    """A Recipe over scenes in memory. `data` describes them for the card; `init` is a weights file to start from."""

    name = KIND

    def __init__(
        self,
        config: GsnerfTraining,
        labels: LabelSet,
        training: Sequence[PosedScene],
        validation: Sequence[PosedScene],
        data: dict[str, Any],
        init: Path | None = None,
    ) -> None:
        from sem_field_ros.training.samples.target_views import TargetConfig

        self.config, self.labels, self.data, self.init = config, labels, data, init
        self.training, self.validation = training, validation
        self.architecture = _architecture(config, len(labels))
        given = config.depth != "self"
        self._target = TargetConfig(config.views, config.depth_views, config.rays, given, config.depth_errors)

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "init": str(self.init or ""),
            "training_scenes": [scene.name for scene in self.training],
            "validation_scenes": [scene.name for scene in self.validation],
        }

    def build_model(self) -> WindowPass:
        from sem_field_ros.fields.gsnerf.window import WindowPass
        from sem_field_ros.fields.registry import load_field_weights, make_model
        from sem_field_ros.weights import load_into

        model = make_model(self.architecture)
        if self.init:
            load_into(model, load_field_weights(self.init)[0], str(self.init))
        return WindowPass(model)

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> TargetViews:
        from sem_field_ros.training.samples.target_views import TargetViews

        return TargetViews(self.training, self._target, self.config.seed)

    def loss(self, model: nn.Module, batch: list[dict[str, Any]]) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the windows, rendered one after the other."""
        import torch

        parts = [self._window_loss(model, sample) for sample in batch]
        logs = {name: torch.stack([part[name].detach() for part in parts]).mean() for name in parts[0]}
        return torch.stack([sum(part.values(), torch.zeros(())) for part in parts]).mean(), logs

    def _window_loss(self, model: nn.Module, sample: dict[str, Any]) -> dict[str, Tensor]:
        import torch

        from sem_field_ros.fields.common.rendering import probability_cross_entropy
        from sem_field_ros.training.gsnerf_losses import rendered_color_loss
        from sem_field_ros.training.samples.target_views import window_of

        config = self.config
        seed, mixed = int(torch.randint(2**31, (1,))), float(torch.rand(1)) < config.mixed_share
        random = torch.Generator(sample["images"].device).manual_seed(seed)
        rendered, found, _ = model(window_of(sample), random, mixed)
        met = rendered.depth > 0
        color = rendered_color_loss(rendered.rgb[met], sample["rgb"][met]) if met.any() else rendered.rgb.sum() * 0
        depth = self._depth_loss(sample, found)
        return {
            "color": config.color_weight * color,
            "classes": config.class_weight
            * probability_cross_entropy(rendered.classes, torch.where(met, sample["label"], -1)),
            "depth": config.depth_weight * depth + 0 * rendered.rgb.sum(),
        }

    def _depth_loss(self, sample: dict[str, Any], found: dict[int, SourceDepth]) -> Tensor:
        import torch

        from sem_field_ros.fields.gsnerf.window import neighbours_of
        from sem_field_ros.training.gsnerf_losses import self_supervised_depth_loss, supervised_depth_loss
        from sem_field_ros.training.samples.target_views import window_of

        if self.config.depth == "none" or not found:
            return torch.zeros((), device=sample["images"].device)
        near, far, losses = self.architecture.near_m, self.architecture.far_m, []
        for i, depth in found.items():
            if self.config.depth == "supervised":
                losses.append(supervised_depth_loss(depth, sample["true_depth"][i], near, far))
            else:
                index, views = neighbours_of(window_of(sample), i, self.architecture.neighbours)
                losses.append(self_supervised_depth_loss(depth, sample["images"][index], views))
        return torch.stack(losses).mean()

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores on fixed windows, see TargetScores; `score`: psnr plus 10 miou plus 5 depth_right."""
        from sem_field_ros.training.loop.recipe import random_for
        from sem_field_ros.training.samples.target_views import draw_target
        from sem_field_ros.training.validation.target_scores import TargetScores

        found = TargetScores(len(self.labels))
        for n in range(self.config.validation_windows):
            scene = self.validation[n % len(self.validation)]
            found.add(model, draw_target(scene, self._target, random_for(1, n), augment=False))
        scores = found.scores()
        return {"score": scores["psnr"] + 10 * scores["miou"] + 5 * scores.get("depth_right", 0.0), **scores}

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        from sem_field_ros.fields.gsnerf.window import WindowPass
        from sem_field_ros.training.model_card import save_trained

        assert isinstance(model, WindowPass)
        output = {"image_width": self.config.image_width, "views": self.config.views}
        save_trained(path, model.model, self, facts, output, self.labels)


def _architecture(config: GsnerfTraining, classes: int) -> GsnerfConfig:
    from sem_field_ros.fields.gsnerf.config import SIZES

    size = SIZES[config.network](classes)
    return dataclasses.replace(
        size,
        semantics=config.semantics,
        sampling=config.sampling,
        labels_at=config.labels_at,
        masks=config.masks,
        samples=config.samples or size.samples,
    )
