"""Scores of a GNeSF on windows: classes and colours of rendered target views, depth of reference views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.fields.common.rays import Rays
from sem_field_ros.fields.common.views import SourceViews, project_points
from sem_field_ros.fields.gnesf.model import Gnesf
from sem_field_ros.fields.gnesf.ray_depth import surface_depth
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.training.samples.windows import sources_of, target_rays

_NEAR_M = 0.1  # depth within this counts as right
_MIN_OPACITY = 0.1  # a ray with less has no class


class FieldScores:
    """Scores over any number of windows (see draw_window); depth is scored inside the cube of `side_m`."""

    def __init__(self, classes: int, side_m: float) -> None:
        self._side_m = side_m
        self._confusion = Confusion(classes)
        self._squared: list[Tensor] = []  # squared error of each ray's colour, by window
        self._shown: list[Tensor] = []  # whether a source shows the surface of the ray
        self._depth_error: list[Tensor] = []
        self._with_depth = 0

    def add(self, model: Gnesf, window: dict[str, Any]) -> None:
        """Render the target view of a window and, of a signed distance, the depth of its reference view."""
        device = next(model.parameters()).device
        window = {name: value.to(device) for name, value in window.items()}
        scene = model.encode(sources_of(window), window["center"])
        rays = target_rays(window)
        rendered = model.render_rays(scene, rays)
        index = torch.where(rendered.opacity > _MIN_OPACITY, rendered.classes.argmax(dim=1), -1)
        self._confusion.add(window["label"].cpu().numpy(), index.cpu().numpy())
        self._squared.append((rendered.rgb.clamp(0, 1) - window["rgb"]).square().mean(dim=1))
        self._shown.append(shown_to_sources(scene.views, rays, window["depth"]))
        if model.config.representation == "sdf":
            self._add_depth(model, scene, window)

    def _add_depth(self, model: Gnesf, scene: Any, window: dict[str, Any]) -> None:
        truth, images = window["reference_depth"], window["images"]
        truth = torch.where(truth < self._side_m, truth, 0)
        camera = Intrinsics.from_matrix(window["K"][0].cpu().numpy(), images.shape[3], images.shape[2])
        T_window_reference = torch.linalg.inv(window["T_camera_window"][0])
        depth = surface_depth(model, scene, camera.scaled(truth.shape[1], truth.shape[0]), T_window_reference)
        self._with_depth += int((truth > 0).sum())
        self._depth_error.append((depth - truth)[(truth > 0) & (depth > 0)].abs())

    @property
    def miou(self) -> float:
        """Mean IoU of the rendered classes."""
        return self._confusion.scores().miou

    @property
    def psnr(self) -> float:
        """Mean over the target views, dB."""
        return mean_psnr(self._squared)

    @property
    def psnr_shown(self) -> float:
        """The same of the rays whose surface a source shows; of all rays if no depth tells which these are."""
        shown = [error[mask] for error, mask in zip(self._squared, self._shown, strict=True)]
        return mean_psnr(shown if any(map(len, shown)) else self._squared)

    def depth_scores(self) -> dict[str, float]:
        """depth_right: share of pixels within 10 cm; depth_answered: share with a depth; depth_error_m: median."""
        error, total = torch.cat(self._depth_error), max(self._with_depth, 1)
        return {
            "depth_right": float((error < _NEAR_M).sum()) / total,
            "depth_answered": len(error) / total,
            "depth_error_m": float(error.median()) if len(error) else float("inf"),
        }


def mean_psnr(squared: Sequence[Tensor]) -> float:
    """PSNR, dB, from the squared errors of each view: the mean over the views with any."""
    means = [error.mean().clamp(min=1e-9) for error in squared if len(error)]
    return -10 * float(torch.stack(means).log10().mean()) if means else 0.0


def shown_to_sources(views: SourceViews, rays: Rays, depth: Tensor) -> Tensor:
    """Whether the surface at `depth` [R] metres along z of the rays lies in the image of a source, [R] bool."""
    points = rays.origins + (depth * rays.scale)[:, None] * rays.directions
    return (depth > 0) & project_points(points, views).inside.any(dim=1)
