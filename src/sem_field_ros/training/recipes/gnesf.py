"""Training recipe of a whole GNeSF: windows of posed views in, weights of the field out (Sec. 4.3 of the paper).

Losses: cross-entropy of rendered class probabilities (Eq. 6), error of rendered colours, and, where depth images exist,
the signed distance at points near surfaces and in free space (`sdf`), the rendered depth (`density`), or, where the
views are asked along the rays, the share of their weight that lies near the depth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.fields.common.rays import Rays, pixel_rays
from sem_field_ros.fields.common.rendering import probability_cross_entropy
from sem_field_ros.fields.common.tensors import RenderedRays, SourceImages
from sem_field_ros.fields.common.views import SourceViews, project_points
from sem_field_ros.fields.gnesf.config import GnesfConfig, compact, paper, tiny
from sem_field_ros.fields.gnesf.model import KIND, Gnesf
from sem_field_ros.fields.gnesf.ray_depth import surface_depth
from sem_field_ros.fields.ibrnet.config import IbrnetConfig, for_views
from sem_field_ros.fields.registry import load_field_weights, make_model
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet, label_set_to_dict
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed, random_for
from sem_field_ros.training.model_card import trained
from sem_field_ros.training.recipes.gnesf_settings import FieldTraining
from sem_field_ros.training.samples.windows import PosedScene, WindowConfig, draw_window
from sem_field_ros.weights import WeightsCard, load_into, save_weights

NETWORKS: dict[str, Callable[[int], GnesfConfig]] = {"compact": compact, "paper": paper, "tiny": tiny}
_NEAR_M = 0.1  # depth is right within this
_BALANCE = 3.0  # weight of the sign's neighbourhood: what decides where the surface is


class FieldRecipe:
    """A Recipe over scenes in memory. `data` describes them for the card; `init` is a weights file to start from."""

    name = KIND

    def __init__(
        self,
        config: FieldTraining,
        labels: LabelSet,
        training: Sequence[PosedScene],
        validation: Sequence[PosedScene],
        data: dict[str, Any],
        init: Path | None = None,
    ) -> None:
        self.config, self.labels, self.data, self.init = config, labels, data, init
        self.training, self.validation = training, validation
        size = NETWORKS[config.network](len(labels))
        self.architecture = dataclasses.replace(
            for_views(size) if config.geometry == "density" and config.image_based else size,
            representation=config.geometry,
            semantics=config.semantics,
            visibility=config.visibility,
        )
        volume = self.architecture.volume
        synthesis = isinstance(self.architecture, IbrnetConfig)
        self._window = WindowConfig(
            config.views,
            config.points if config.geometry == "sdf" else 1,
            config.rays,
            volume.cells * volume.cell_m,
            volume.truncation_m,
            uneven_light=0.02 if synthesis else 0.07,
            depth_share=config.depth_share if synthesis else 0.0,
        )

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "init": str(self.init or ""),
            "training_scenes": [scene.name for scene in self.training],
            "validation_scenes": [scene.name for scene in self.validation],
        }

    def build_model(self) -> Gnesf:
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

    def samples(self) -> FieldRecipe:
        return self

    def __getitem__(self, n: int) -> dict[str, Any]:
        """Sample n: a window of a random scene."""
        random = random_for(self.config.seed, n)
        return draw_window(self.training[int(random.integers(len(self.training)))], self._window, random)

    def collate(self, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return samples

    def loss(self, model: nn.Module, batch: list[dict[str, Any]]) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the windows, one after the other: their volumes would not fit into memory side by side."""
        parts = [self._window_loss(model, window) for window in batch]
        logs = {name: torch.stack([part[name].detach() for part in parts]).mean() for name in parts[0]}
        return torch.stack([sum(part.values(), torch.zeros(())) for part in parts]).mean(), logs

    def _window_loss(self, model: nn.Module, window: dict[str, Any]) -> dict[str, Tensor]:
        config = self.config
        rays = _rays(window)
        value, rendered = model(observations(window), window["center"], window["points"], rays)
        if config.geometry == "sdf":
            geometry = sdf_loss(value, window["sdf"], self._window.truncation_m)
        elif rendered.volume_weights is None:
            geometry = _depth_loss(rendered, window["depth"] * rays.scale)
        else:
            geometry = _weights_loss(rendered, window["depth"] * rays.scale)
        return {
            "geometry": config.depth_weight * geometry,
            "classes": config.class_weight * probability_cross_entropy(rendered.classes, window["label"]),
            "color": config.color_weight * _color_loss(rendered, window["rgb"]),
        }

    def validate(self, model: nn.Module) -> dict[str, float]:
        """On fixed windows: mIoU and PSNR of rays of target views, and how good the depth of reference views is.

        score  of a density psnr_shown, the mean PSNR of pixels whose surface lies in a source's image (of all pixels
               where no depth says which these are); of an sdf the
               mean of mIoU and of the share of pixels with depth predicted within 10 cm
        """
        assert isinstance(model, Gnesf)
        device = next(model.parameters()).device
        confusion = Confusion(len(self.labels))
        squared: list[Tensor] = []
        shown: list[Tensor] = []
        errors: list[Tensor] = []
        asked = 0
        for window in map(_to(device), self._validation_windows()):
            scene = model.encode(observations(window), window["center"])
            rays = _rays(window)
            rendered = model.render_rays(scene, rays)
            index = torch.where(rendered.opacity > 0.1, rendered.classes.argmax(dim=1), -1)
            confusion.add(window["label"].cpu().numpy(), index.cpu().numpy())
            squared.append((rendered.rgb.clamp(0, 1) - window["rgb"]).square().mean(dim=1))
            shown.append(_shown_to_sources(scene.views, rays, window["depth"]))
            if self.config.geometry == "sdf":
                depth, wanted = self._reference_depth(model, scene, window)
                asked += int((wanted > 0).sum())
                errors.append((depth - wanted)[(wanted > 0) & (depth > 0)].abs())
        miou = confusion.scores().miou
        scores = {"miou": miou, "psnr": _decibel(squared)}
        if self.config.geometry == "density":
            counted = [error[mask] for error, mask in zip(squared, shown, strict=True)]
            shown_psnr = _decibel(counted if any(map(len, counted)) else squared)
            return {"score": shown_psnr, "psnr_shown": shown_psnr, **scores}
        error = torch.cat(errors)
        right = float((error < _NEAR_M).sum()) / max(asked, 1)
        scores |= {"depth_right": right, "depth_answered": len(error) / max(asked, 1)}
        scores |= {"depth_error_m": float(error.median()) if len(error) else float("inf")}
        return {"score": (miou + right) / 2, **scores}

    def _validation_windows(self) -> list[dict[str, Any]]:
        count = self.config.validation_windows
        return [
            draw_window(self.validation[n % len(self.validation)], self._window, random_for(1, n), augment=False)
            for n in range(count)
        ]

    def _reference_depth(self, model: Gnesf, scene: Any, window: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Predicted and true depth [h, w] of the reference view; only what lies in the cube is asked for."""
        wanted = window["reference_depth"]
        images = window["images"]
        camera = Intrinsics.from_matrix(window["K"][0].cpu().numpy(), images.shape[3], images.shape[2])
        camera = camera.scaled(wanted.shape[1], wanted.shape[0])
        T = torch.linalg.inv(window["T_camera_window"][0])
        return surface_depth(model, scene, camera, T), torch.where(wanted < self._window.side_m, wanted, 0)

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        assert isinstance(model, Gnesf)
        output = {"image_width": self.config.image_width, "views": self.config.views}
        card = WeightsCard(model.kind, model.config.as_dict(), label_set_to_dict(self.labels), output, self.data)
        save_weights(path, model.state_dict(), trained(card, self.config, facts))


def _take_over(model: Gnesf, state: dict[str, Tensor]) -> None:
    """Begin with another field's image features, volume and votes, where they have the same shape."""
    own = model.state_dict()
    parts = ("image_net.", "volume_net.", "voting.")
    own |= {k: v for k, v in state.items() if k.startswith(parts) and k in own and own[k].shape == v.shape}
    model.load_state_dict(own)


def observations(window: dict[str, Any]) -> SourceImages:
    """The sources of a sample."""
    depth = window["source_depth"]
    return SourceImages(window["images"], window["classes"], window["K"], window["T_camera_window"], depth)


def sdf_loss(predicted: Tensor, wanted: Tensor, truncation_m: float) -> Tensor:
    """Mean absolute error of signed distances [P] as a share of the truncation, more where the surface is near.

    Points with NaN, which no view knows anything about, do not count.
    """
    known = ~torch.isnan(wanted)
    if not known.any():
        return predicted.sum() * 0
    target = wanted[known] / truncation_m
    weight = 1 + (_BALANCE - 1) * (target.abs() < 0.9)
    return ((predicted[known] / truncation_m - target).abs() * weight).sum() / weight.sum()


def _depth_loss(rendered: RenderedRays, distance: Tensor) -> Tensor:
    known = distance > 0
    if not known.any():
        return rendered.depth.sum() * 0
    missing = (1 - rendered.opacity)[known].mean()
    return (rendered.depth - distance)[known].abs().mean() + missing


def _weights_loss(rendered: RenderedRays, distance: Tensor) -> Tensor:
    """Share of the weight that does not lie within two samples of the depth [R]: of the rays', and of the volume's."""
    assert rendered.volume_weights is not None
    known = (distance > rendered.sample_depth[:, 0]) & (distance < rendered.sample_depth[:, -1])
    if not known.any():
        return rendered.depth.sum() * 0
    ratio = (rendered.sample_depth[known] / distance[known, None]).log().abs()
    reach = 2 * (rendered.sample_depth[:, -1] / rendered.sample_depth[:, 0]).log().mean() / rendered.weights.shape[1]
    near = ratio < reach
    parts = [(weights[known] * near).sum(dim=1) for weights in (rendered.weights, rendered.volume_weights)]
    return sum((-(part + 0.01).log().mean() for part in parts), torch.zeros(()).to(distance)) / 2


def _color_loss(rendered: RenderedRays, rgb: Tensor) -> Tensor:
    """Absolute error, and for view synthesis five times the squared one.

    A window does not see everything its target sees: of a distance field only the rays that meet something count, a
    density's are drawn before a background.
    """
    error = rendered.rgb - rgb
    if rendered.sdf is None:
        return error.abs().mean() + 5 * error.square().mean()
    met = rendered.opacity.detach() > 0.1
    return error[met].abs().mean() if met.any() else rendered.rgb.sum() * 0


def _decibel(squared: Sequence[Tensor]) -> float:
    """PSNR of squared errors, the mean over the views (those of which anything is counted)."""
    means = [error.mean().clamp(min=1e-9) for error in squared if len(error)]
    return -10 * float(torch.stack(means).log10().mean()) if means else 0.0


def _shown_to_sources(views: SourceViews, rays: Rays, depth: Tensor) -> Tensor:
    """Which rays' true surfaces [R] lie in the image of any source."""
    points = rays.origins + (depth * rays.scale)[:, None] * rays.directions
    return (depth > 0) & project_points(points, views).inside.any(dim=1)


def _rays(window: dict[str, Any]) -> Rays:
    K = window["target_K"].cpu().numpy()
    size = np.ceil(2 * K[:2, 2] + 1).astype(int)  # pixel_rays only needs the intrinsics
    camera = Intrinsics.from_matrix(K, max(1, int(size[0])), max(1, int(size[1])))
    return pixel_rays(window["pixels"], camera, window["T_window_target"])


def _to(device: torch.device) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda window: {name: value.to(device) for name, value in window.items()}
