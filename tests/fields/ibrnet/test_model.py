"""A density that asks the views: it draws a wall before any training, and nothing where no view observed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.common.rays import Rays, camera_rays
from sem_field_ros.fields.common.rendering import density_weights
from sem_field_ros.fields.common.tensors import SourceImages
from sem_field_ros.fields.gnesf import config as gnesf
from sem_field_ros.fields.gnesf.config import compact, paper, tiny
from sem_field_ros.fields.ibrnet.config import config_from_dict, for_views
from sem_field_ros.fields.ibrnet.model import IbrnetField
from sem_field_ros.fields.registry import field_kind
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.weights import load_card

CAMERA = Intrinsics(40.0, 40.0, 31.5, 23.5, 64, 48)
WALL_Z = 2.0
CENTER = torch.tensor([0.0, 0.0, 1.5])
MODELS = Path(__file__).resolve().parents[3] / "models"


def pattern(x: Tensor, y: Tensor) -> Tensor:
    """Colours [3, ...] of the wall at metres x, y: waves that no shift of a few centimetres brings onto themselves."""
    a = torch.sin(3 * x + 2 * torch.sin(2 * y)) + torch.sin(7 * y + 1.3 * x)
    b = torch.cos(5 * x - 3 * y) + torch.sin(4 * y * x)
    return torch.stack([0.5 + 0.2 * a, 0.5 + 0.2 * b, 0.5 + 0.1 * (a - b)])


def wall_image(cx: float, cy: float) -> Tensor:
    """What a camera at (cx, cy, 0) that looks along z sees."""
    v, u = torch.meshgrid(torch.arange(CAMERA.height), torch.arange(CAMERA.width), indexing="ij")
    return pattern(cx + (u - CAMERA.cx) / CAMERA.fx * WALL_Z, cy + (v - CAMERA.cy) / CAMERA.fy * WALL_Z)


def pose(cx: float, cy: float) -> Tensor:
    T = torch.eye(4)
    T[:2, 3] = torch.tensor([cx, cy])
    return T


def wall(places: tuple[tuple[float, float], ...] = ((-0.4, 0), (0.4, 0.1), (0, -0.4), (0.1, 0.4))) -> SourceImages:
    images = torch.stack([wall_image(*place) for place in places])
    classes = torch.zeros(len(places), 3, 12, 16)
    classes[:, 1] = 1
    K = torch.tensor(CAMERA.matrix, dtype=torch.float32).expand(len(places), 3, 3)
    T = torch.linalg.inv(torch.stack([pose(*place) for place in places]))
    return SourceImages(images, classes, K, T)


def make(seed: int = 0, **rays: object) -> IbrnetField:
    torch.manual_seed(seed)
    config = for_views(tiny(3))
    return IbrnetField(replace(config, samples=48, rays=replace(config.rays, **rays))).eval()


def decibel(image: Tensor, truth: Tensor) -> float:
    return -10 * math.log10(float((image - truth).square().mean()))


@pytest.mark.parametrize("stride", [1, 2])
def test_views_that_agree_show_the_wall_before_any_training(stride: int) -> None:
    truth = wall_image(0, 0).permute(1, 2, 0)
    model = make(stride=stride)
    with torch.inference_mode():
        view = model.render(model.encode(wall(), CENTER), CAMERA, torch.eye(4))
    inner = slice(8, 40), slice(8, 56)  # seen by all four
    assert decibel(view.rgb[inner], truth[inner]) > 22
    assert decibel(truth[inner].mean(dim=(0, 1)).expand_as(truth[inner]), truth[inner]) < 18
    assert float((view.depth[inner] - WALL_Z).abs().median()) < 0.3
    assert view.classes[inner].argmax(dim=-1).unique().tolist() == [1]
    assert view.classes.sum(dim=-1).max() <= 1 + 1e-4


def test_nothing_is_drawn_where_no_view_looks() -> None:
    model = make()
    images = wall()
    with torch.inference_mode():
        scene = model.encode(images, CENTER)
        away = Rays(torch.zeros(2, 3), torch.tensor([[0.0, 0, -1], [0, -1, 0]]), torch.ones(2))
        rendered = model.render_rays(scene, away)
    assert float(rendered.opacity.max()) == 0 and float(rendered.classes.max()) == 0
    torch.testing.assert_close(rendered.rgb, images.images.mean(dim=(0, 2, 3)).expand(2, 3))


def test_colours_are_between_those_of_the_views() -> None:
    model = make(seed=3)
    images = replace(wall(), images=torch.full((4, 3, 48, 64), 0.3))
    with torch.inference_mode():
        view = model.render(model.encode(images, CENTER), CAMERA, torch.eye(4))
    torch.testing.assert_close(view.rgb, torch.full_like(view.rgb, 0.3))


def test_the_order_of_the_views_changes_nothing() -> None:
    model = make()
    images = wall()
    order = [2, 0, 3, 1]
    other = SourceImages(*(getattr(images, n)[order] for n in ("images", "classes", "K", "T_camera_world")))
    with torch.inference_mode():
        a, b = (model.render(model.encode(x, CENTER), CAMERA, torch.eye(4)) for x in (images, other))
    torch.testing.assert_close(a.rgb, b.rgb, atol=1e-3, rtol=0)


@pytest.mark.parametrize("heeds", [True, False])
def test_depth_images_are_heeded_only_where_the_configuration_says_so(heeds: bool) -> None:
    images = wall()
    model = make(depth=heeds)
    torch.nn.init.normal_(model.ray_density.out.weight)
    with torch.inference_mode():
        without, given = (
            model.render(model.encode(x, CENTER), CAMERA, torch.eye(4)).rgb
            for x in (images, replace(images, depth=torch.full((4, 24, 32), 1.0)))
        )
    assert torch.equal(without, given) != heeds


def test_every_parameter_gets_a_gradient() -> None:
    model = make().train()
    torch.nn.init.normal_(model.ray_density.out.weight)
    images = replace(wall(), depth=torch.full((4, 24, 32), WALL_Z), classes=torch.rand(4, 3, 12, 16))
    rays = camera_rays(CAMERA, torch.eye(4))[torch.arange(0, 3072, 17)]
    out = model.render_rays(model.encode(images, CENTER), rays, torch.Generator().manual_seed(0))
    (out.classes.square().sum() + out.rgb.square().sum() + out.volume_weights.square().sum()).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    ignored = ("head.4.bias", "score.bias", "blending.net.4.bias")  # what all views have in common
    assert [n for n in without if not n.endswith(ignored)] == []


def test_queries_answer_from_the_density_that_is_rendered() -> None:
    model = make(stride=1)
    torch.nn.init.normal_(model.ray_density.out.weight)
    with torch.inference_mode():
        scene = model.encode(wall(), CENTER)
        T = torch.linalg.inv(scene.views.T_camera_world[0])  # the rays that queries are asked on are this camera's
        rays = camera_rays(CAMERA, T)[torch.arange(700, 3072, 211)]
        depth = model._depths(rays)
        points = rays.at(depth)
        asked = model.query(scene, points)
        rendered = model.render_rays(scene, rays)
    weights = density_weights(asked.density.reshape(depth.shape), model._spacing(depth))
    expected = model._ray_weights(scene, rays, depth)[0]
    torch.testing.assert_close(weights, expected, atol=2e-3, rtol=1e-3)
    assert rendered.opacity.shape == (len(rays),)
    assert asked.sdf is None and (asked.confidence <= 1).all() and (asked.confidence >= 0).all()


def test_a_query_outside_of_what_rays_sample_has_no_density() -> None:
    model = make()
    with torch.inference_mode():
        scene = model.encode(wall(), CENTER)
        found = model.query(scene, torch.tensor([[-0.4, 0.0, 0.05], [-0.4, 0.0, 50.0]]))
    assert found.density.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("size", [tiny, compact, paper])
def test_configurations_go_to_json_and_back(size) -> None:  # noqa: ANN001
    config = for_views(size(20))
    assert config_from_dict(config.as_dict()) == config
    old = {k: v for k, v in size(20).as_dict().items() if k not in ("spacing", "representation")}  # an early card
    assert gnesf.config_from_dict({**old, "geometry": "sdf", "rays": None}) == size(20)


def test_the_shipped_distance_field_is_what_it_was() -> None:
    card = load_card(MODELS / "gnesf_field_homes" / "gnesf_field_homes.safetensors")
    config = gnesf.config_from_dict(card.architecture)
    assert config.spacing == "linear" and config.representation == "sdf"
    assert field_kind(card) == "gnesf_field"
    assert field_kind(load_card(MODELS / "gnesf_view_homes" / "gnesf_view_homes.safetensors")) == "ibrnet_field"


def test_bad_configurations_are_refused_in_one_line() -> None:
    with pytest.raises(WeightsError, match="linear, log"):
        replace(tiny(3), spacing="cubic")
    with pytest.raises(WeightsError, match="needs representation"):
        replace(for_views(tiny(3)), representation="sdf")
