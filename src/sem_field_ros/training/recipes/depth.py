"""Recipe of depth from posed views: matching scores and context of frames in, weights of a StereoNet out.

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

    from sem_field_ros.depth.network import StereoNet
    from sem_field_ros.training.samples.matched_frames import MatchedFrames
    from sem_field_ros.training.samples.posed_scenes import PosedScene

_NEAR_M = 0.1  # depth within this counts as right
_SPREAD_WEIGHT = 0.05


@dataclass(frozen=True)
class DepthTraining:
    """Settings of the training of depth from posed views, beside those of the loop."""

    network: str = setting("compact", "size of the network; tiny is for tests", choices=("compact", "tiny"))
    encoder: str = setting(
        "imagenet",
        "weights of the frozen encoder of the reference image; imagenet needs the extra sem_field_ros[train]",
        choices=("imagenet", "random"),
    )
    image_width: int = setting(320, "width of the images, pixels", minimum=32)
    views: int = setting(8, "maximum number of other views that a frame is matched with", minimum=1)
    windows: int = setting(1, "choices of these views per frame, all kept in memory", minimum=1)
    plane_weight: float = setting(0.1, "weight of the cross entropy over the depth planes", minimum=0.0)
    validation_frames: int = setting(40, "maximum number of validation frames, evenly spread", minimum=1)
    seed: int = setting(0, "seed of the order of the frames, choice of views, initial weights", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)


class DepthRecipe:
    """A Recipe over scenes in memory. `data` describes them for the card; `init` is a weights file to start from."""

    def __init__(
        self,
        config: DepthTraining,
        training: Sequence[PosedScene],
        validation: Sequence[PosedScene],
        data: dict[str, Any],
        init: Path | None = None,
    ) -> None:
        from sem_field_ros.depth.network import KIND
        from sem_field_ros.training.samples.matched_frames import MatchedFrames

        self.name = KIND
        self.config, self.data, self.init = config, data, init
        self.training, self.validation = training, validation
        start = self.build_model().eval()
        self._sweep = start.config.sweep
        self._samples = MatchedFrames(training, start, config.views, config.windows, config.seed)
        self._validation_samples = MatchedFrames(validation, start, config.views, config.windows, config.seed)

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "init": str(self.init or ""),
            "training_scenes": [scene.name for scene in self.training],
            "validation_scenes": [scene.name for scene in self.validation],
        }

    def build_model(self) -> StereoNet:
        """The same every time: samples are made with its encoder, which is not trained."""
        import torch

        from sem_field_ros.depth.network import NETWORKS, StereoNet
        from sem_field_ros.segmentation.backbone import imagenet_state
        from sem_field_ros.weights import load_into, load_weights

        torch.manual_seed(self.config.seed)
        model = StereoNet(NETWORKS[self.config.network]())
        if self.init:
            load_into(model, load_weights(self.init, self.name)[0], str(self.init))
        elif self.config.encoder == "imagenet":
            model.encoder.load_state_dict(imagenet_state(model.encoder))
        return model

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> MatchedFrames:
        return self._samples

    def loss(self, model: nn.Module, batch: tuple[Tensor, list[Tensor], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Absolute error of log depth, cross entropy of the planes, and the likelihood of the spread (Laplace)."""
        import torch
        from torch.nn.functional import cross_entropy

        scores, context, depth = batch
        log_depth, log_spread, logits = model(scores, context)
        known = (depth > self._sweep.near_m) & (depth < self._sweep.far_m)
        if not known.any():
            return logits.sum() * 0, {"error": torch.zeros(())}
        target = depth.clamp(min=1e-3).log()
        error = (log_depth - target).abs()[known]
        planes = self._sweep.depths().log().to(target.device)
        nearest = ((target - planes[0]) / (planes[1] - planes[0])).round().long().clamp(0, len(planes) - 1)
        entropy = cross_entropy(logits, torch.where(known, nearest, -1), ignore_index=-1)
        log_spread = log_spread[known]
        spread = (error.detach() * torch.exp(-log_spread) + log_spread).mean()
        loss = error.mean() + self.config.plane_weight * entropy + _SPREAD_WEIGHT * spread
        return loss, {"error": error.detach().mean(), "planes": entropy.detach()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of the depth of validation frames.

        score, within_10cm: share of the pixels with depth; error_m: median; sure_*: of the half with the least spread
        """
        import torch

        from sem_field_ros.depth.network import StereoNet

        assert isinstance(model, StereoNet)
        frames = self._validation_samples.frames
        step = max(len(frames) / self.config.validation_frames, 1.0)
        device = next(model.parameters()).device
        found = []
        for i in range(int(len(frames) / step)):
            scores, context, depth = self._validation_samples.sample(*frames[int(i * step)], window=0)
            log_depth, log_spread, _ = model(scores[None].to(device), [x[None].to(device) for x in context])
            known = depth > 0
            predicted = log_depth[0].exp().cpu()
            found.append(torch.stack([predicted[known], depth[known], log_spread[0].cpu()[known]]))
        predicted, depth, spread = torch.cat(found, dim=1)
        error = (predicted - depth).abs()
        sure = error[spread <= spread.median()]
        right = float((error < _NEAR_M).float().mean())
        return {
            "score": right,
            "within_10cm": right,
            "error_m": float(error.median()),
            "relative": float((error / depth).mean()),
            "sure_within_10cm": float((sure < _NEAR_M).float().mean()),
            "sure_error_m": float(sure.median()),
        }

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        from sem_field_ros.training.model_card import save_trained

        output = {"image_width": self.config.image_width, "views": self.config.views}
        save_trained(path, model, self, facts, output)
