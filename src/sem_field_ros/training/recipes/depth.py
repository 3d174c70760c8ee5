"""Training recipe of depth from posed views: matching scores and context of frames in, metric depth out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sem_field_ros.depth.network import KIND, StereoConfig, StereoNet, compact, summary, tiny
from sem_field_ros.depth.sweep import match_scores, patches
from sem_field_ros.geometry.poses import inverse
from sem_field_ros.segmentation.backbone import imagenet_state
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed, random_for
from sem_field_ros.training.model_card import trained
from sem_field_ros.training.recipes.depth_settings import StereoTraining
from sem_field_ros.training.samples.labelled_frames import VALIDATION
from sem_field_ros.training.samples.windows import PosedScene, scaled_intrinsics
from sem_field_ros.weights import WeightsCard, load_into, load_weights, save_weights

NETWORKS: dict[str, Callable[[], StereoConfig]] = {"compact": compact, "tiny": tiny}
_NEAR_M = 0.1  # depth is right within this


class StereoRecipe:
    """A Recipe over scenes in memory. `data` describes them for the card; `init` is a weights file to start from."""

    name = KIND

    def __init__(
        self,
        config: StereoTraining,
        training: Sequence[PosedScene],
        validation: Sequence[PosedScene],
        data: dict[str, Any],
        init: Path | None = None,
    ) -> None:
        self.config, self.data, self.init = config, data, init
        self.scenes = {"training": list(training), VALIDATION: list(validation)}
        self._encoder = self._start()
        self._frames = [(s, f) for s, scene in enumerate(training) for f in range(len(scene))]
        self._scores: dict[tuple[str, int, int, int], Tensor] = {}
        self._context: dict[tuple[str, int, int], list[Tensor]] = {}
        self._patches: dict[tuple[str, int], Tensor] = {}

    def settings(self) -> dict[str, Any]:
        names = {f"{split}_scenes": [scene.name for scene in scenes] for split, scenes in self.scenes.items()}
        return {**dataclasses.asdict(self.config), "init": str(self.init or ""), **names}

    def _start(self) -> StereoNet:
        """The network with its frozen encoder; the loop's copy begins with the same one."""
        torch.manual_seed(self.config.seed)
        model = StereoNet(NETWORKS[self.config.network]())
        if self.init:
            load_into(model, load_weights(self.init, KIND)[0], str(self.init))
        elif self.config.encoder == "imagenet":
            model.encoder.load_state_dict(imagenet_state(model.encoder))
        return model.eval()

    def build_model(self) -> StereoNet:
        return self._start()

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> StereoRecipe:
        return self

    def __getitem__(self, n: int) -> tuple[Tensor, list[Tensor], Tensor]:
        """Sample n: summary of the scores, context maps and depth [h, w] of a frame, mirrored half of the time."""
        epoch, place = divmod(n, len(self._frames))
        scene, frame = self._frames[random_for(self.config.seed, 0, epoch).permutation(len(self._frames))[place]]
        sample = self._sample("training", scene, frame, epoch % self.config.windows)
        if random_for(self.config.seed, 1, n).random() < 0.5:
            return sample
        scores, context, depth = sample
        return scores.flip(-1), [x.flip(-1) for x in context], depth.flip(-1)

    def _sample(self, split: str, scene: int, frame: int, window: int) -> tuple[Tensor, list[Tensor], Tensor]:
        data = self.scenes[split][scene]
        key = split, scene, frame, window
        if key not in self._scores:
            others = pick_others(len(data), frame, self.config.views, random_for(7, scene, frame, window))
            self._scores[key] = (self._summary(split, scene, frame, others) * 127).round().to(torch.int8)
        if key[:3] not in self._context:
            maps = self._encoder.encode(data.images[frame][None].float() / 255)
            self._context[key[:3]] = [x[0].half() for x in maps]
        return (
            self._scores[key].float() / 127,
            [x.float() for x in self._context[key[:3]]],
            _quarter(data.depth[frame], self._scores[key].shape[-2:]),
        )

    def _summary(self, split: str, scene: int, frame: int, others: list[int]) -> Tensor:
        data = self.scenes[split][scene]
        sweep = self._encoder.config.sweep
        if (split, scene) not in self._patches:
            self._patches = {(split, scene): torch.cat([patches(x[None].float() / 255, sweep) for x in data.images])}
        made = self._patches[split, scene]
        T = np.stack([inverse(data.T_world_camera[i]) @ data.T_world_camera[frame] for i in others])
        K = scaled_intrinsics(data.K[[frame, *others]], 0.5)
        return summary(*match_scores(made[frame], made[others], K, torch.from_numpy(T).float(), sweep.depths()))

    def collate(self, samples: list[Any]) -> tuple[Tensor, list[Tensor], Tensor]:
        scores, context, depth = zip(*samples, strict=True)
        return torch.stack(scores), [torch.stack(maps) for maps in zip(*context, strict=True)], torch.stack(depth)

    def loss(self, model: nn.Module, batch: tuple[Tensor, list[Tensor], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Absolute error of log depth, cross-entropy of the planes, and the likelihood of the spread (Laplace)."""
        scores, context, depth = batch
        log_depth, log_spread, logits = model(scores, context)
        sweep = self._encoder.config.sweep
        known = (depth > sweep.near_m) & (depth < sweep.far_m)
        if not known.any():
            return logits.sum() * 0, {"error": torch.zeros(())}
        target = depth.clamp(min=1e-3).log()
        error = (log_depth - target).abs()[known]
        planes = sweep.depths().log().to(target.device)
        nearest = ((target - planes[0]) / (planes[1] - planes[0])).round().long().clamp(0, len(planes) - 1)
        entropy = cross_entropy(logits, torch.where(known, nearest, -1), ignore_index=-1)
        log_spread = log_spread[known]
        spread = (error.detach() * torch.exp(-log_spread) + log_spread).mean()
        loss = error.mean() + self.config.plane_weight * entropy + 0.05 * spread
        return loss, {"error": error.detach().mean(), "planes": entropy.detach()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """How good the depth of frames of the validation scenes is.

        score, within_10cm: share of the pixels with depth; error_m: median; sure_*: of the half with the least spread
        """
        assert isinstance(model, StereoNet)
        frames = [(s, f) for s, scene in enumerate(self.scenes[VALIDATION]) for f in range(len(scene))]
        step = max(len(frames) / self.config.validation_frames, 1.0)
        device = next(model.parameters()).device
        found = []
        for i in range(int(len(frames) / step)):
            scores, context, depth = self._sample(VALIDATION, *frames[int(i * step)], 0)
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
        assert isinstance(model, StereoNet)
        output = {"image_width": self.config.image_width, "views": self.config.views}
        card = WeightsCard(KIND, model.config.as_dict(), output=output, data=self.data)
        save_weights(path, model.state_dict(), trained(card, self.config, facts))


def pick_others(frames: int, reference: int, views: int, random: np.random.Generator) -> list[int]:
    """Up to `views` other frames around the reference in time, more before it than after, one or two frames apart."""
    step = 1 if random.random() < 0.7 else 2
    after = int(random.integers(1, views // 2 + 1)) if views > 1 else 0
    side = 1 if random.random() < 0.5 else -1
    wanted = [reference + side * step * k for k in range(-(views - after), after + 1) if k != 0]
    others = [i for i in wanted if 0 <= i < frames]
    if len(others) < 2:
        others = sorted({i for i in range(frames) if i != reference}, key=lambda i: abs(i - reference))[:views]
    return others


def _quarter(depth: Tensor, size: torch.Size) -> Tensor:
    """Depth of every second pixel of a half-size depth image [H/2, W/2], at the `size` of the scores."""
    rows = (torch.arange(size[0]) * 2 + 1).clamp(max=depth.shape[0] - 1)
    columns = (torch.arange(size[1]) * 2 + 1).clamp(max=depth.shape[1] - 1)
    return depth[rows[:, None], columns]
