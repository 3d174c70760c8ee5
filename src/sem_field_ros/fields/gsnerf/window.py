"""A whole window in one pass, for training: sources encoded, some depths predicted, rays of a target view rendered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sem_field_ros.fields.common.rays import Rays
from sem_field_ros.fields.common.views import SourceViews, project_points
from sem_field_ros.fields.gsnerf.encoded import EncodedViews, at_pixels, depth_residual, visible
from sem_field_ros.fields.gsnerf.gains import apply_gains, source_gains
from sem_field_ros.fields.gsnerf.model import Gsnerf, RenderedSamples, tolerance
from sem_field_ros.fields.gsnerf.source_depth import SourceDepth, enlarged_depth
from sem_field_ros.fields.gsnerf.target_depth import consensus_depth, target_depth
from sem_field_ros.fields.gsnerf.warping import Neighbours
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.patches import normalised_patches

PATCH, ORDER, NOISE = 5, 4, 0.01  # of the normalised patches that the volume renderer reads
_GAIN_RAYS = 2000
_MIN_BASELINE_M = 0.02  # of neighbours: rotation alone shows no depth


@dataclass(frozen=True)
class Window:
    """V sources in the frame of a target camera, the nearest first.

    images [V, 3, H, W] 0..1      classes [V, C, h, w] probabilities      K [V, 3, 3]      T_camera_target [V, 4, 4]
    depth [V, h, w] metres, given depth images, zeros where a view has none
    camera, pixels  of the target image and the pixels [h', w', 2] of it that target depth is computed for
    chosen [R]      which of these pixels are rendered
    predict         indices of the sources whose depth is predicted with gradients; `complete`: the others' is predicted
                    without, instead of given
    """

    images: Tensor
    classes: Tensor
    K: Tensor
    T_camera_target: Tensor
    depth: Tensor
    camera: Intrinsics
    rays: Rays
    chosen: Tensor
    predict: tuple[int, ...] = ()
    complete: bool = False


class WindowPass(nn.Module):
    """The pass as a module of its own, so that it can be wrapped for several processes; `model` is the field."""

    def __init__(self, model: Gsnerf) -> None:
        super().__init__()
        self.model = model

    @property
    def config(self) -> object:
        """The field's configuration, for its card."""
        return self.model.config

    def forward(
        self, window: Window, generator: torch.Generator | None = None, mixed: bool = False
    ) -> tuple[RenderedSamples, dict[int, SourceDepth], EncodedViews]:
        """The rendered rays, the predicted depth of the sources `window.predict`, and the encoded window."""
        model = self.model
        pyramid = model.encode_images(window.images)
        predicted = {i: self._depth(pyramid, window, i) for i in window.predict}
        others = {}
        if window.complete:
            with torch.no_grad():
                others = {i: self._depth(pyramid, window, i) for i in range(len(window.images)) if i not in predicted}
        encoded = self._encoded(pyramid, window, predicted | others)
        with torch.no_grad():
            camera = window.camera
            here = torch.eye(4).to(window.images)
            if bool(encoded.known.all()):
                target = target_depth(encoded.views, camera, here, window.rays).flatten()
            else:
                target = consensus_depth(encoded.views, camera, here).flatten()
            gains = window_gains(encoded, window.rays, target)
        encoded = EncodedViews(
            encoded.views, apply_gains(encoded.images, gains), encoded.patches, encoded.volume, encoded.known
        )
        known = bool(encoded.known.all())
        rays, near = window.rays[window.chosen], target[window.chosen]
        return model.render_rays(encoded, rays, near, known, generator, mixed), predicted, encoded

    def _depth(self, pyramid: list[Tensor], window: Window, i: int) -> SourceDepth:
        index, views = neighbours_of(window, i, self.model.config.neighbours)
        return self.model.source_depth([level[index] for level in pyramid], window.images[index], views)

    def _encoded(self, pyramid: list[Tensor], window: Window, found: dict[int, SourceDepth]) -> EncodedViews:
        images, config = window.images, self.model.config
        size = window.depth.shape[1:]
        depth = torch.stack(
            [enlarged_depth(found[i].depth.detach(), size) if i in found else d for i, d in enumerate(window.depth)]
        )
        like = next(iter(found.values())).feature if found else images.new_zeros(config.volume, 1, 1, 1)
        volume = torch.stack([found[i].feature if i in found else torch.zeros_like(like) for i in range(len(images))])
        known = torch.tensor([i not in found for i in range(len(images))], device=images.device)
        classes = self.model.class_maps(pyramid) if config.semantics == "decoder" else window.classes
        views = SourceViews(
            pyramid[0], classes, window.K, window.T_camera_target, (images.shape[3], images.shape[2]), depth
        )
        return EncodedViews(views, images, normalised_patches(images, PATCH, ORDER, NOISE), volume, known)


def neighbours_of(window: Window, i: int, count: int) -> tuple[list[int], Neighbours]:
    """Source `i` and the `count` others that show its depth best, some way off; and their cameras."""
    R, t = window.T_camera_target[:, :3, :3], window.T_camera_target[:, :3, 3:]
    origins = -(R.transpose(1, 2) @ t)[..., 0]
    apart = (origins - origins[i]).norm(dim=1)
    order = (apart.clamp(min=1e-3) / 0.2).log().abs().argsort().tolist()
    index = [i, *[n for n in order if n != i and apart[n] >= _MIN_BASELINE_M][:count]]
    T = window.T_camera_target[index[1:]] @ torch.linalg.inv(window.T_camera_target[i])
    return index, Neighbours(window.K[index], T, (window.images.shape[3], window.images.shape[2]))


def window_gains(encoded: EncodedViews, rays: Rays, target: Tensor) -> Tensor:
    """Gains [V, 3] of the source images, the nearest first, from surface points of rays with target depth [R]."""
    known = (target > 0).nonzero()[:, 0]
    index = known[:: max(1, len(known) // _GAIN_RAYS)]
    points = rays[index].at((target[index] * rays.scale[index])[:, None])
    projection = project_points(points, encoded.views)
    behind, has_depth = depth_residual(encoded.views, projection)
    seen = visible(behind, has_depth, projection.inside.T, tolerance(encoded))
    colors = at_pixels(encoded.images, projection, encoded.views.size)
    nearness = 0.5 ** torch.arange(len(encoded), device=target.device)
    return source_gains(colors.permute(2, 0, 1), seen.T, nearness.to(colors))
