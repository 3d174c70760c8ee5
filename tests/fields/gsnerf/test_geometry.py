"""Depth of GSNeRF: cost volumes peak at the true depth, the target depth is exact, holes stay invalid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.fields.common.rays import camera_rays
from sem_field_ros.fields.common.views import SourceViews
from sem_field_ros.fields.gsnerf.config import tiny
from sem_field_ros.fields.gsnerf.cost_volume import correlation_volume, first_hypotheses, narrow_hypotheses
from sem_field_ros.fields.gsnerf.model import Gsnerf
from sem_field_ros.fields.gsnerf.source_depth import enlarged_depth, peak_depth, spread_depth
from sem_field_ros.fields.gsnerf.target_depth import consensus_depth, project_depth, target_depth
from sem_field_ros.fields.gsnerf.warping import Neighbours
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.patches import normalised_patches
from sem_field_ros.geometry.poses import inverse

from .walls import CAMERA, PLACES, WALL_Z, as_tensor, pose, view

SIZE = CAMERA.width, CAMERA.height


def neighbours(places: tuple[tuple[float, float], ...]) -> Neighbours:
    K = torch.tensor(CAMERA.matrix, dtype=torch.float32).expand(len(places), 3, 3)
    T = [inverse(pose(*place)) @ pose(*places[0]) for place in places[1:]]
    return Neighbours(K, torch.tensor(np.stack(T), dtype=torch.float32), SIZE)


def sources(places: tuple[tuple[float, float], ...] = PLACES, box: bool = True) -> SourceViews:
    K = torch.tensor(CAMERA.matrix, dtype=torch.float32).expand(len(places), 3, 3)
    T = torch.tensor(np.stack([inverse(pose(*place)) for place in places]), dtype=torch.float32)
    depth = torch.from_numpy(np.stack([view(*place, box)[1] for place in places]))
    none = torch.zeros(len(places), 1, 1, 1)
    return SourceViews(none, none, K, T, SIZE, depth)


def target(views: SourceViews, place: tuple[float, float], camera: Intrinsics = CAMERA) -> np.ndarray:
    T = torch.tensor(pose(*place), dtype=torch.float32)
    return target_depth(views, camera, torch.linalg.inv(T), camera_rays(camera, T)).numpy()


def test_the_cost_volume_of_a_wall_peaks_at_its_depth() -> None:
    places = ((0.0, 0.0), (0.3, 0.0), (0.0, 0.25), (-0.25, 0.1))
    images = torch.stack([as_tensor(view(*place, box=False)[0]) for place in places])
    fixed = normalised_patches(images, 5, 4, 0.01)
    planes = first_hypotheses(33, 1.0, 4.0, images)  # 2 m is the 17th
    depth = planes[:, None, None].expand(-1, *fixed.shape[2:])
    volume, count = correlation_volume(torch.ones(4, 4, *fixed.shape[2:]), fixed, depth, neighbours(places), 2)
    assert volume.shape == (3, 33, *fixed.shape[2:]) and int(count.max()) == 3
    inner = volume[0, :, 12:-12, 16:-16]
    assert bool((inner.argmax(dim=0) == 16).all()) and float(inner[16].mean()) > 0.94
    seen = count[16] > 0
    assert torch.allclose(volume[1:, 16][:, seen], torch.ones(()), atol=1e-5), "the mean of equal products is theirs"


def test_narrow_hypotheses_surround_the_depth() -> None:
    found = narrow_hypotheses(torch.full((1, 2), 2.0), 5, 0.2, 0.3, 9.0)
    assert found[:, 0, 0].tolist() == pytest.approx([1.6, 2 * 0.8**0.5, 2.0, 2 / 0.8**0.5, 2.5], rel=1e-5)


def test_the_untrained_cascade_finds_wall_and_box() -> None:
    torch.manual_seed(0)
    model = Gsnerf(tiny(3)).eval()
    images = torch.stack([as_tensor(view(*place)[0]) for place in PLACES])
    with torch.no_grad():
        found = model.source_depth(model.encode_images(images), images, neighbours(PLACES))
    truth = view(*PLACES[0])[1]
    depth = enlarged_depth(found.depth, truth.shape).numpy()
    error = np.abs(depth / truth - 1)
    assert np.median(error) < 0.03 and (error < 0.1).mean() > 0.75
    assert found.confidence.shape == found.depth.shape and float(found.confidence.min()) >= 0
    assert [level.depth.shape[0] for level in found.levels] == [24, 48]
    assert peak_depth(found.levels[0]).shape == (24, 32)


def test_depth_spreads_from_pixels_that_match() -> None:
    depth = torch.full((8, 8), 1.0)
    confidence = torch.zeros(8, 8)
    depth[:, :2], confidence[:, :2] = 3.0, 1.0
    assert spread_depth(depth, confidence).allclose(torch.tensor(3.0), atol=1e-3)


@settings(max_examples=12, deadline=None)
@given(st.floats(-0.25, 0.25), st.floats(-0.25, 0.25))
def test_target_depth_is_exact_around_an_occluder(cx: float, cy: float) -> None:
    found, truth = target(sources(), (cx, cy)), view(cx, cy)[1]
    valid = found > 0
    wrong = valid & (np.abs(found - truth) > 0.05)
    assert wrong.mean() < 5e-4, "a few pixels whose centre lies on the box's edge"
    assert valid.mean() > 0.9


def test_pixels_that_no_source_sees_stay_invalid() -> None:
    one = sources(((-0.3, 0.0),))
    found, truth = target(one, (0.3, 0.0)), view(0.3, 0.0)[1]
    u, v = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    x, y = 0.3 + (u - CAMERA.cx) / CAMERA.fx * WALL_Z, (v - CAMERA.cy) / CAMERA.fy * WALL_Z
    # where the line from the source at x = -0.3 to this point of the wall meets the plane of the box
    bx, by = -0.3 + (x + 0.3) * 0.6, y * 0.6
    hidden = (truth == WALL_Z) & (np.abs(bx) < 0.28) & (np.abs(by) < 0.28)
    outside = (truth == WALL_Z) & ((x + 0.3) / WALL_Z * CAMERA.fx + CAMERA.cx > CAMERA.width)
    assert hidden.sum() > 50 and outside.sum() > 500
    assert (found[hidden] == 0).all() and (found[outside] == 0).all()


def test_holes_in_the_sources_are_holes_in_the_target() -> None:
    views = sources(box=False)
    assert views.depth is not None
    views.depth[:] = 0
    assert (target(views, (0.0, 0.0)) == 0).all()
    views.depth[:, 40:60, 50:70] = WALL_Z
    found = target(views, (0.0, 0.0))
    assert 0 < (found > 0).mean() < 0.3 and np.allclose(found[found > 0], WALL_Z, atol=1e-3)


def test_the_consensus_resists_the_errors_of_single_sources() -> None:
    views = sources(box=False)
    assert views.depth is not None
    views.depth[0] *= 0.5  # one source is wrong everywhere, and would win the z-buffer
    views.depth[1:] *= torch.tensor([0.97, 1.0, 1.02, 1.04])[:, None, None]
    T = torch.tensor(pose(0.0, 0.0), dtype=torch.float32)
    found = consensus_depth(views, CAMERA, torch.linalg.inv(T))
    middle = found[20:-20, 30:-30]
    assert bool((middle > 0).all()) and float((middle / WALL_Z - 1).abs().max()) < 0.05
    views.depth[:] = 0
    assert bool((consensus_depth(views, CAMERA, torch.linalg.inv(T)) == 0).all())


def test_a_nearer_surface_has_no_gaps_in_a_larger_image() -> None:
    """Twice the resolution of the only source: projected pixels lie two apart, and the wall must not show between."""
    large = CAMERA.scaled(256, 192)
    one = sources(((0.0, 0.0),))
    projected = project_depth(one, large, torch.eye(4))
    assert (projected == 0).float().mean() > 0.5
    found, truth = target(one, (0.0, 0.0), large), view(0.0, 0.0, camera=large)[1]
    assert (np.abs(found - truth) < 0.05).mean() > 0.97
