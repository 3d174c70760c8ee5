"""Warp: source images and classes moved into a camera along the sources' depth images. Nothing is learned.

Depth-image-based rendering: the depth images of the window become meshes, cut where depth jumps; a ray's depth is its
first hit. A source gives colour to a point if its own depth image shows it (nothing lies before the point); sources
that look at it in the camera's direction weigh most (Buehler et al., "Unstructured Lumigraph Rendering", 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.fields.common.tensors import FieldSamples, FieldView, SourceImages
from sem_field_ros.fields.common.views import SourceViews, project_points, sample_depth, sample_maps
from sem_field_ros.geometry.camera import Intrinsics, unproject
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_ros.geometry.raycast import MeshRaycaster

_CUT = 1.08  # ratio of the depths of neighbouring pixels above which they are on two surfaces
_BLEND_DEG = 2.0  # angle at which a source has 1/e of the weight of one in the camera's direction
_LEAST = 0.02  # sources that weigh less than this are left out
_TOLERANCE, _TOLERANCE_M = (
    0.03,
    0.02,
)  # how close to the source's depth a point is that it sees


@dataclass(frozen=True)
class WarpScene:
    """A window: its views (`features` are the images), their depth as one mesh, all in the window's frame."""

    views: SourceViews
    surface: MeshRaycaster


class Warp:
    """See the module; a posed_images.WindowField. The sources need depth images."""

    def encode_window(self, observations: SourceImages) -> WarpScene:
        """Build the meshes of the window's depth images. Raises TypeError without them."""
        if observations.depth is None:
            raise TypeError("a warp needs the depth images of its sources")
        height, width = observations.images.shape[2:]
        views = SourceViews(
            observations.images,
            observations.classes,
            observations.K,
            observations.T_camera_world,
            (width, height),
            observations.depth,
        )
        return WarpScene(views, MeshRaycaster(*_meshes(views)))

    def render(self, scene: WarpScene, camera: Intrinsics, T_window_camera: Tensor) -> FieldView:
        """The view of a camera; pixels that no source shows have depth 0, no class, and are black."""
        T = T_window_camera.double().cpu().numpy()
        depth, _ = scene.surface.cast(camera, T)
        hit = np.flatnonzero(depth)
        points = transform_points(T, unproject(depth, camera).reshape(-1, 3)[hit])
        device = scene.views.K.device
        towards = torch.from_numpy(T[:3, 3].astype(np.float32)).to(device)
        rgb, classes, seen = _blend(scene.views, torch.from_numpy(points.astype(np.float32)).to(device), towards)
        image = torch.zeros(depth.size, 3 + classes.shape[1], device=device)
        image[torch.from_numpy(hit).to(device)] = torch.cat([rgb, classes], dim=1)
        shown = torch.zeros(depth.size, dtype=torch.bool, device=device)
        shown[torch.from_numpy(hit).to(device)] = seen
        image = image.reshape(*depth.shape, -1)
        return FieldView(
            rgb=image[..., :3],
            depth=torch.where(shown.reshape(depth.shape), torch.from_numpy(depth).to(device), 0.0),
            classes=image[..., 3:],
            confidence=image[..., 3:].amax(dim=-1).clamp(0, 1),
        )

    def query(self, scene: WarpScene, points: Tensor) -> FieldSamples:
        """Classes at points [N, 3] on the surface that a source sees; others are unknown."""
        _, classes, _ = _blend(scene.views, points, None)
        return FieldSamples(classes, classes.amax(dim=1).clamp(0, 1))


def _meshes(views: SourceViews) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [V * h * w, 3] in the window's frame and faces [F, 3] of all depth images."""
    assert views.depth is not None
    depths = views.depth.cpu().numpy()
    count, height, width = depths.shape
    K, T = views.K.double().cpu().numpy(), views.T_camera_world.double().cpu().numpy()
    vertices = [
        transform_points(inverse(T[i]), unproject(depths[i], Intrinsics.from_matrix(K[i], *views.size)).reshape(-1, 3))
        for i in range(count)
    ]
    at = np.arange(height * width).reshape(height, width)
    corners = np.stack([at[:-1, :-1], at[1:, :-1], at[:-1, 1:], at[1:, 1:]], axis=-1).reshape(-1, 4)
    faces = [np.zeros((0, 3), np.int64)]
    for i in range(count):
        z = depths[i].reshape(-1)[corners]
        for triangle in ([0, 1, 2], [2, 1, 3]):
            near, far = z[:, triangle].min(axis=1), z[:, triangle].max(axis=1)
            kept = (near > 0) & (far < _CUT * near)
            faces.append(corners[kept][:, triangle] + i * height * width)
    return np.concatenate(vertices), np.concatenate(faces)


def _blend(views: SourceViews, points: Tensor, eye: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """rgb [N, 3], classes [N, C] and whether any source sees them [N], of points [N, 3] seen from `eye` [3]."""
    assert views.depth is not None
    projection = project_points(points, views)
    scale = projection.pixels.new_tensor([views.depth.shape[2] / views.size[0], views.depth.shape[1] / views.size[1]])
    depth = sample_depth(views.depth, (projection.pixels + 0.5) * scale - 0.5)
    near = (depth - projection.z).abs() < _TOLERANCE * projection.z + _TOLERANCE_M
    weights = (projection.inside & near & (depth > 0)).float()
    if eye is not None:
        to_eye = torch.nn.functional.normalize(eye - points, dim=-1)
        to_source = torch.nn.functional.normalize(views.origins - points[:, None], dim=-1)
        cosine = torch.einsum("nvi,ni->nv", to_source, to_eye).clamp(-1, 1)
        angle_deg = torch.rad2deg(torch.arccos(cosine))
        angle_deg = angle_deg - torch.where(weights > 0, angle_deg, torch.inf).amin(dim=1, keepdim=True).clamp(max=180)
        weights = weights * torch.exp(-angle_deg / _BLEND_DEG)  # relative to the best, so that none underflows
    weights = torch.where(weights > _LEAST, weights, 0.0)
    total = weights.sum(dim=1)
    weights = weights / total.clamp(min=1e-9)[:, None]
    image_classes = torch.zeros(len(points), 3 + views.classes.shape[1], device=points.device)
    for i in range(len(views)):  # most points see few sources: sampling only those is several times faster
        mine = torch.nonzero(weights[:, i])[:, 0]
        at = projection.pixels[mine, i : i + 1]
        parts = [sample_maps(maps[i : i + 1], at, views.size)[:, 0] for maps in (views.features, views.classes)]
        image_classes.index_add_(0, mine, weights[mine, i, None] * torch.cat(parts, dim=1))
    return image_classes[:, :3], image_classes[:, 3:], total > 0
