"""Recipe of a whole GNeSF: windows of posed views in, weights of the field out (Sec. 4.3 of the paper).

Losses: cross entropy of the rendered class probabilities (Eq. 6), error of the rendered colours and, where there is
depth, error of the geometry: of the signed distance at points near surfaces and in free space (`sdf`), of the rendered
depth (`density`), or of the weights along the rays (`density` with `image_based`).

Heavy imports stand inside the methods, so that the command line reads the settings without them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.errors import WeightsError
from sem_field_ros.settings import check_settings, setting
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sem_field_ros.fields.gnesf.config import GnesfConfig
    from sem_field_ros.fields.gnesf.model import Gnesf
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.training.samples.posed_scenes import PosedScene
    from sem_field_ros.training.samples.windows import WindowConfig, WindowSamples

_TAKEN_OVER = ("image_net.", "volume_net.", "voting.")  # parts that a field can start from another one's


@dataclass(frozen=True)
class GnesfTraining:
    """Settings of the training of a whole GNeSF, beside those of the loop."""

    network: str = setting(
        "compact", "size of the field; paper is for ScanNet, tiny for tests", choices=("compact", "paper", "tiny")
    )
    representation: str = setting(
        "sdf",
        "of the geometry: sdf (maps from RGB alone) or density (view synthesis, Eq. 7)",
        choices=("sdf", "density"),
        formerly=("geometry",),
    )
    semantics: str = setting(
        "probabilities",
        "what the views vote with; direct: no vote, classes are predicted from image features",
        choices=("probabilities", "logits", "direct"),
    )
    visibility: bool = setting(True, "views whose ray to a point is blocked do not vote")
    image_based: bool = setting(
        True,
        "density: query the views at every sample of a ray, not the volume alone (after IBRNet)",
        formerly=("ask_views",),
    )
    depth_share: float = setting(0.3, "density: share of the windows whose sources have depth as a cue", minimum=0.0)
    image_width: int = setting(320, "width of the images, pixels", minimum=32)
    views: int = setting(7, "source views of a window", minimum=2)
    points: int = setting(8192, "sdf: points per window with a signed distance from the depth images", minimum=1)
    rays: int = setting(192, "rays rendered of each target view", minimum=1)
    class_weight: float = setting(0.25, "weight of the cross entropy of rendered classes (Eq. 6)", minimum=0.0)
    color_weight: float = setting(0.5, "weight of the error of rendered colours", minimum=0.0)
    depth_weight: float = setting(1.0, "weight of the loss of the geometry, where there is depth", minimum=0.0)
    validation_windows: int = setting(24, "number of validation windows, evenly spread over the scenes", minimum=1)
    seed: int = setting(0, "seed of the windows, initial weights", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def kind(self) -> str:
        """The kind of the weights that are trained: one of fields.registry.FIELDS."""
        return "ibrnet_field" if self.representation == "density" and self.image_based else "gnesf_field"


class GnesfRecipe:
    """A Recipe over scenes in memory. `data` describes them for the card; `init` is a weights file to start from."""

    def __init__(
        self,
        config: GnesfTraining,
        labels: LabelSet,
        training: Sequence[PosedScene],
        validation: Sequence[PosedScene],
        data: dict[str, Any],
        init: Path | None = None,
    ) -> None:
        self.config, self.labels, self.data, self.init = config, labels, data, init
        self.training, self.validation = training, validation
        self.architecture = _architecture(config, len(labels))
        self.name = config.kind
        self._window = _window(config, self.architecture)

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "init": str(self.init or ""),
            "training_scenes": [scene.name for scene in self.training],
            "validation_scenes": [scene.name for scene in self.validation],
        }

    def build_model(self) -> Gnesf:
        from sem_field_ros.fields.registry import load_field_weights, make_model
        from sem_field_ros.weights import load_into

        model = make_model(self.architecture)
        if self.init:
            state, architecture = load_field_weights(self.init)
            if architecture == self.architecture:
                load_into(model, state, str(self.init))
            else:
                _take_over(model, state)
        return model

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> WindowSamples:
        from sem_field_ros.training.samples.windows import WindowSamples

        return WindowSamples(self.training, self._window, self.config.seed)

    def loss(self, model: nn.Module, batch: list[dict[str, Any]]) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the windows, rendered one after the other: the volumes of all do not fit into memory."""
        import torch

        parts = [self._window_loss(model, window) for window in batch]
        logs = {name: torch.stack([part[name].detach() for part in parts]).mean() for name in parts[0]}
        return torch.stack([sum(part.values(), torch.zeros(())) for part in parts]).mean(), logs

    def _window_loss(self, model: nn.Module, window: dict[str, Any]) -> dict[str, Tensor]:
        from sem_field_ros.fields.common.rendering import probability_cross_entropy
        from sem_field_ros.training.losses import color_loss, depth_loss, sdf_loss, weights_loss
        from sem_field_ros.training.samples.windows import sources_of, target_rays

        config = self.config
        rays = target_rays(window)
        sdf, rendered = model(sources_of(window), window["center"], window["points"], rays)
        if config.representation == "sdf":
            geometry = sdf_loss(sdf, window["sdf"], self._window.truncation_m)
        elif rendered.volume_weights is None:
            geometry = depth_loss(rendered, window["depth"] * rays.scale)
        else:
            geometry = weights_loss(rendered, window["depth"] * rays.scale)
        return {
            "geometry": config.depth_weight * geometry,
            "classes": config.class_weight * probability_cross_entropy(rendered.classes, window["label"]),
            "color": config.color_weight * color_loss(rendered, window["rgb"]),
        }

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores on fixed windows, see FieldScores; `score` chooses the best weights.

        score  density: psnr_shown; sdf: the mean of miou and depth_right
        """
        from sem_field_ros.fields.gnesf.model import Gnesf
        from sem_field_ros.training.loop.recipe import random_for
        from sem_field_ros.training.samples.windows import draw_window
        from sem_field_ros.training.validation.field_scores import FieldScores

        assert isinstance(model, Gnesf)
        found = FieldScores(len(self.labels), self._window.side_m)
        for n in range(self.config.validation_windows):
            scene = self.validation[n % len(self.validation)]
            found.add(model, draw_window(scene, self._window, random_for(1, n), augment=False))
        if self.config.representation == "density":
            return {"score": found.psnr_shown, "psnr_shown": found.psnr_shown, "miou": found.miou, "psnr": found.psnr}
        depth = found.depth_scores()
        score = (found.miou + depth["depth_right"]) / 2
        return {"score": score, "miou": found.miou, "psnr": found.psnr, **depth}

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        from sem_field_ros.training.model_card import save_trained

        output = {"image_width": self.config.image_width, "views": self.config.views}
        save_trained(path, model, self, facts, output, self.labels)


def _architecture(config: GnesfTraining, classes: int) -> GnesfConfig:
    from sem_field_ros.fields.gnesf.config import compact, paper, tiny
    from sem_field_ros.fields.ibrnet.config import for_views

    size = {"compact": compact, "paper": paper, "tiny": tiny}[config.network](classes)
    return dataclasses.replace(
        for_views(size) if config.kind == "ibrnet_field" else size,
        representation=config.representation,
        semantics=config.semantics,
        visibility=config.visibility,
    )


def _window(config: GnesfTraining, architecture: GnesfConfig) -> WindowConfig:
    from sem_field_ros.training.samples.windows import WindowConfig

    volume, image_based = architecture.volume, config.kind == "ibrnet_field"
    return WindowConfig(
        config.views,
        config.points if config.representation == "sdf" else 1,
        config.rays,
        volume.cells * volume.cell_m,
        volume.truncation_m,
        uneven_light=0.02 if image_based else 0.07,
        depth_share=config.depth_share if image_based else 0.0,
    )


def _take_over(model: Gnesf, state: dict[str, Tensor]) -> None:
    """Start from the image features, volume and votes of another field, as far as shapes agree.

    Raises WeightsError where none does.
    """
    own = model.state_dict()
    fit = {k: v for k, v in state.items() if k.startswith(_TAKEN_OVER) and k in own and own[k].shape == v.shape}
    if not fit:
        raise WeightsError("--init: no tensor of these weights fits the network: choose the network they are of")
    model.load_state_dict(own | fit)
