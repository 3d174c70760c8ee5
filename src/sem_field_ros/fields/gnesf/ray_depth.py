"""The depth image of a predicted signed-distance volume: the first change from outside to inside along each ray."""

from __future__ import annotations

import torch
from torch import Tensor

from sem_field_ros.fields.common.rays import camera_rays
from sem_field_ros.fields.gnesf.model import Gnesf, GnesfScene
from sem_field_ros.fields.gnesf.volume import Volume
from sem_field_ros.geometry.camera import Intrinsics


@torch.no_grad()
def surface_depth(
    model: Gnesf,
    scene: GnesfScene,
    camera: Intrinsics,
    T_world_camera: Tensor,
    *,
    min_views: int = 2,
    min_slope: float = 0.3,
) -> Tensor:
    """Depth [h, w] metres along z of the first zero crossing, 0 if there is none or it is unreliable.

    min_views   views whose image the crossing must project into
    min_slope   the distance must fall at least this fast along the ray, as a share of the metres along it: if the
                network is uncertain, the distance changes slowly
    """
    grid = _distance_grid(model, scene)
    rays = camera_rays(camera, T_world_camera)
    step = 0.5 * grid.cell_m
    reach = grid.cell_m * grid.values.shape[-1] * 1.5
    along = torch.arange(0.1, reach, step, device=rays.origins.device)
    parts = []
    for part in rays.split(4096):
        points = part.origins[:, None] + along[None, :, None] * part.directions[:, None]
        sampled, inside = grid.sample(points.reshape(-1, 3))
        value = torch.where(inside, sampled[:, 0], torch.nan).reshape(points.shape[:2])
        enough = torch.where(inside, sampled[:, 1] >= min_views - 0.5, False).reshape(points.shape[:2])
        before, after = value[:, :-1], value[:, 1:]
        crosses = (before > 0) & (after <= 0)  # NaN compares false
        first = crosses.int().argmax(dim=1, keepdim=True)
        a, b = before.gather(1, first)[:, 0], after.gather(1, first)[:, 0]
        known = crosses.any(dim=1) & enough.gather(1, first)[:, 0] & (_slope(value, first, step) > min_slope)
        distance = along[first[:, 0]] + step * a / (a - b).clamp(min=1e-9)
        parts.append(torch.where(known, distance / part.scale, 0.0))
    return torch.cat(parts).reshape(camera.height, camera.width)


def _slope(value: Tensor, first: Tensor, step: float) -> Tensor:
    """Slope of the distance around the crossing [R], over one more step on either side."""
    last = value.shape[1] - 1
    low, high = (first - 1).clamp(min=0), (first + 2).clamp(max=last)
    fall = value.gather(1, low) - value.gather(1, high)
    return (fall / ((high - low) * step))[:, 0].nan_to_num(0.0)


def _distance_grid(model: Gnesf, scene: GnesfScene) -> Volume:
    """Signed distance and number of views at the volume's cell centres, [2, n, n, n]."""
    values = scene.volume.values
    shape = values.shape[1:]
    distance = model.geometry(values.flatten(1).T).reshape(1, *shape)
    return Volume(torch.cat([distance, scene.seen[None].to(distance)]), scene.volume.corner, scene.volume.cell_m)
