"""The whole field with tiny random weights: shapes, what must hold for any weights, and that it can learn a wall."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.common.rays import camera_rays, pixel_rays
from sem_field_ros.fields.common.rendering import probability_cross_entropy
from sem_field_ros.fields.common.tensors import SourceImages
from sem_field_ros.fields.gnesf.config import SEMANTICS, compact, config_from_dict, paper, tiny
from sem_field_ros.fields.gnesf.model import Gnesf
from sem_field_ros.geometry.camera import Intrinsics

CAMERA = Intrinsics(16.0, 16.0, 11.5, 7.5, 24, 16)
CLASSES = 3
WALL_Z = 1.6


def wall_images(xs: tuple[float, ...] = (-0.3, 0.0, 0.3)) -> SourceImages:
    """Cameras at (x, 0, 0) that look along z at a wall, red and class 0 left of x = 0, blue and class 1 right of it."""
    images, classes, poses = [], [], []
    u = torch.arange(CAMERA.width)
    for x in xs:
        right = (x + (u - CAMERA.cx) / CAMERA.fx * WALL_Z > 0).float().expand(CAMERA.height, -1)
        images.append(torch.stack([1 - right, torch.zeros_like(right), right]))
        classes.append(torch.stack([1 - right, right, torch.zeros_like(right)]))
        T = torch.eye(4)
        T[0, 3] = -x
        poses.append(T)
    K = torch.tensor(CAMERA.matrix, dtype=torch.float32).expand(len(xs), 3, 3)
    return SourceImages(torch.stack(images), torch.stack(classes), K, torch.stack(poses))


def make(**changes: object) -> Gnesf:
    torch.manual_seed(0)
    return Gnesf(replace(tiny(CLASSES), **changes)).eval()


@pytest.mark.parametrize("representation", ["sdf", "density"])
@pytest.mark.parametrize("semantics", SEMANTICS)
def test_every_variant_encodes_queries_and_renders(representation: str, semantics: str) -> None:
    model = make(representation=representation, semantics=semantics)
    with torch.inference_mode():
        scene = model.encode(wall_images(), center=torch.tensor([0.0, 0.0, 1.5]))
        points = torch.tensor([[0.0, 0, 1.5], [0.3, 0.1, 1.0], [0.0, 0, 50.0]])
        samples = model.query(scene, points)
        view = model.render(scene, CAMERA, torch.eye(4), chunk=100)
    assert samples.classes.shape == (3, CLASSES)
    torch.testing.assert_close(samples.classes.sum(dim=1)[:2].round(decimals=4), torch.ones(2))
    assert samples.classes[2].sum() == 0 and samples.confidence[2] == 0
    if representation == "sdf":
        assert samples.sdf.isnan().tolist() == [False, False, True]
    else:
        assert (samples.density >= 0).all() and samples.density[2] == 0
    assert view.rgb.shape == (16, 24, 3) and view.classes.shape == (16, 24, CLASSES)
    assert view.depth.shape == view.confidence.shape == (16, 24)
    assert view.depth.isfinite().all() and float(view.confidence.max()) <= 1


def test_the_order_of_the_views_changes_nothing() -> None:
    model = make()
    images = wall_images()
    order = [2, 0, 1]
    other = SourceImages(*(getattr(images, n)[order] for n in ("images", "classes", "K", "T_camera_world")))
    points = torch.rand(40, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([-0.5, -0.5, 1.0])
    with torch.inference_mode():
        center = torch.tensor([0.0, 0.0, 1.5])
        a = model.query(model.encode(images, center), points)
        b = model.query(model.encode(other, center), points)
    torch.testing.assert_close(a.classes, b.classes, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(a.sdf, b.sdf, atol=1e-4, rtol=1e-4, equal_nan=True)


def test_one_view_votes_as_it_is() -> None:
    model = make(visibility=False)
    with torch.inference_mode():
        scene = model.encode(wall_images((0.0,)), center=torch.tensor([0.0, 0.0, 1.5]))
        samples = model.query(scene, torch.tensor([[-0.5, 0, WALL_Z], [0.5, 0, WALL_Z]]))
    torch.testing.assert_close(samples.classes, torch.eye(3)[:2], atol=1e-5, rtol=0)
    torch.testing.assert_close(samples.confidence, torch.tensor([0.5, 0.5]), atol=1e-5, rtol=0)


def test_chunks_change_nothing() -> None:
    model = make()
    with torch.inference_mode():
        scene = model.encode(wall_images())
        whole = model.render(scene, CAMERA, torch.eye(4))
        parts = model.render(scene, CAMERA, torch.eye(4), chunk=37)
    torch.testing.assert_close(whole.classes, parts.classes)
    torch.testing.assert_close(whole.depth, parts.depth)


def training_step(model: Gnesf, images: SourceImages, pixels: Tensor) -> Tensor:
    rays = pixel_rays(pixels, CAMERA, torch.eye(4))
    scene = model.encode(images, center=torch.tensor([0.0, 0.0, 1.5]))
    out = model.render_rays(scene, rays, torch.Generator().manual_seed(1))
    x = rays.origins[:, 0] + rays.directions[:, 0] * WALL_Z * rays.scale
    true_sdf = (WALL_Z - out.sample_depth / rays.scale[:, None]).clamp(-0.75, 0.75)
    loss = (out.sdf - true_sdf).abs().mean()
    return loss + 0.1 * probability_cross_entropy(out.classes, (x > 0).long())


def test_it_learns_a_wall() -> None:
    """Depth and class supervision alone: after a few steps the rendered wall is where it is, with its two classes."""
    model = make().train()
    images = wall_images()
    v, u = torch.meshgrid(torch.arange(0, 16, 2), torch.arange(0, 24, 2), indexing="ij")
    pixels = torch.stack([u, v], dim=-1).reshape(-1, 2).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = training_step(model, images, pixels)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        scene = model.encode(images, center=torch.tensor([0.0, 0.0, 1.5]))
        view = model.render(scene, CAMERA, torch.eye(4))
    met = view.depth > 0
    assert met.float().mean() > 0.7
    assert float((view.depth[met] - WALL_Z).abs().median()) < 0.15
    label = view.classes.argmax(dim=-1)
    right = torch.arange(24).expand(16, -1) > CAMERA.cx
    clear = met & ((torch.arange(24) - CAMERA.cx).abs() > 2).expand(16, -1)
    assert (label[clear] == right[clear].long()).float().mean() > 0.95


def test_every_parameter_gets_a_gradient() -> None:
    for semantics in SEMANTICS:
        model = make(semantics=semantics, visibility=False).train()
        scene = model.encode(wall_images(), center=torch.tensor([0.0, 0.0, 1.5]))
        out = model.render_rays(scene, camera_rays(CAMERA, torch.eye(4)), torch.Generator().manual_seed(0))
        (out.classes.square().sum() + out.rgb.sum() + out.sdf.sum()).backward()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        unused = {"direct": ("voting",)}.get(semantics, ())
        ignored = ("head.4.bias", *unused)  # a softmax over views does not feel what all have in common
        assert [n for n in without if not any(part in n for part in ignored)] == []


def test_rays_by_hand() -> None:
    T = torch.eye(4)
    T[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    rays = pixel_rays(torch.tensor([[11.5, 7.5], [27.5, 7.5]]), CAMERA, T)
    torch.testing.assert_close(rays.directions[0], torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(rays.directions[1], torch.tensor([1.0, 0.0, 1.0]) / math.sqrt(2))
    torch.testing.assert_close(rays.scale, torch.tensor([1.0, math.sqrt(2)]))
    torch.testing.assert_close(rays.origins[1], torch.tensor([1.0, 2.0, 3.0]))
    every = camera_rays(CAMERA, T)
    assert len(every) == 24 * 16 and sum(len(part) for part in every.split(100)) == 24 * 16


@pytest.mark.parametrize("make_config", [tiny, compact, paper])
def test_configurations_go_to_json_and_back(make_config) -> None:  # noqa: ANN001
    config = make_config(20)
    assert config_from_dict(config.as_dict()) == config


def test_bad_configurations_are_refused_in_one_line() -> None:
    with pytest.raises(WeightsError, match="one of sdf, density"):
        replace(tiny(3), representation="occupancy")
    with pytest.raises(WeightsError, match="not the architecture"):
        config_from_dict({"classes": 3})
