"""The recipe of a whole GNeSF: distances fused as in a TSDF, windows, losses and scores by hand, the command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.cli import main
from sem_field_ros.fields.common.rays import Rays
from sem_field_ros.fields.common.tensors import RenderedRays
from sem_field_ros.fields.common.views import SourceViews
from sem_field_ros.fields.common.window import camera_from_window, level_frame
from sem_field_ros.labels import load_label_set
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.losses import color_loss, sdf_loss, weights_loss
from sem_field_ros.training.recipes.gnesf import GnesfRecipe, GnesfTraining
from sem_field_ros.training.samples.posed_scenes import PosedScene, read_scenes
from sem_field_ros.training.samples.windows import fused_distance, pick_views
from sem_field_ros.training.validation.field_scores import mean_psnr, shown_to_sources
from sem_field_ros.weights import load_card

from .posed import write_rooms

LABELS = load_label_set("scannet20")
SIZES = {"network": "tiny", "image_width": 64, "views": 4, "points": 1024, "rays": 24, "validation_windows": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    write_rooms(folder)
    return folder


@pytest.fixture(scope="module")
def scenes(data: Path) -> list[PosedScene]:
    return read_scenes([data / "train" / "room0"], LABELS, None, 64)


def losses(run: Path, name: str) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def loop(steps: int, **more: object) -> LoopConfig:
    fixed = {"batch": 1, "lr": 5e-3, "warmup": 5, "validate_every": 0, "log_every": 1, "device": "cpu"}
    return LoopConfig(steps=steps, **{**fixed, **more})


def test_distances_are_fused_as_a_tsdf_fuses_them() -> None:
    K = torch.tensor([[50.0, 0, 9.5], [0, 50.0, 7.5], [0, 0, 1]]).repeat(2, 1, 1)
    poses = torch.eye(4).repeat(2, 1, 1)
    depth = torch.stack([torch.full((15, 20), 2.0), torch.full((15, 20), 2.2)])
    points = torch.tensor(
        [[0, 0, 1.0], [0, 0, 1.9], [0, 0, 2.15], [0, 0, 2.25], [0, 0, 3.0], [0, 0, -1.0], [9.0, 0, 1]]
    )
    found = fused_distance(points, depth, K, poses, truncation_m=0.2)
    # 2.25 is 0.25 behind the surface of the first view, which does not observe it
    wanted = [0.2, (0.1 + 0.2) / 2, (-0.15 + 0.05) / 2, -0.05, np.nan, np.nan, np.nan]
    assert np.allclose(found.numpy(), wanted, atol=1e-5, equal_nan=True)


def test_the_window_looks_along_x_with_z_up() -> None:
    T = np.eye(4)
    T[:3, :3] = np.stack([[0, -1, 0], [0, 0, -1], [1, 0, 0]], axis=1)  # looks along the world's x
    T[:3, 3] = (1, 2, 3)
    assert np.allclose(level_frame(T)[:3, :3], np.eye(3)) and np.allclose(level_frame(T)[:3, 3], (1, 2, 3))
    ahead = np.append(camera_from_window(T, level_frame(T)).numpy() @ [2, 0, 0, 1], [])
    assert np.allclose(ahead, [0, 0, 2, 1], atol=1e-6)
    down = np.eye(4)
    down[:3, :3] = np.stack([[0, -1, 0], [-1, 0, 0], [0, 0, -1]], axis=1)  # straight down, the image's top ahead in x
    assert np.allclose(level_frame(down)[:3, 0], [1, 0, 0])


def test_views_are_others_than_the_target() -> None:
    for n in range(50):
        frames = 2 + n % 12
        sources, target = pick_views(frames, 5, np.random.default_rng(n))
        assert len(set(sources)) == len(sources) <= 5 and all(0 <= i < frames for i in [*sources, target])
        assert frames < 3 or target not in sources


def test_points_that_no_view_observes_do_not_count() -> None:
    predicted = torch.tensor([0.1, 0.1, 9.0], requires_grad=True)
    loss = sdf_loss(predicted, torch.tensor([0.2, 0.0, torch.nan]), 0.2)
    assert np.isclose(float(loss.detach()), (0.5 * 1 + 0.5 * 3) / 4)
    loss.backward()
    assert predicted.grad is not None and predicted.grad[2] == 0


@pytest.mark.parametrize(("representation", "image_based"), [("sdf", True), ("density", False), ("density", True)])
def test_the_loss_falls(representation: str, image_based: bool, scenes: list[PosedScene], tmp_path: Path) -> None:
    config = GnesfTraining(representation=representation, image_based=image_based, **SIZES)
    recipe = GnesfRecipe(config, LABELS, scenes, scenes, {})
    result = train(recipe, loop(60), tmp_path)
    found = losses(tmp_path, "geometry")
    assert np.mean(found[-10:]) < 0.9 * np.mean(found[:5])
    assert result.best is not None


def rendered_rays(weights: list[float]) -> RenderedRays:
    """One ray with samples at 1, 2, 4, 8, 16 m, the same weights along the ray and in the volume; grey."""
    w = torch.tensor([weights])
    depth = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0]])
    one = torch.ones(1)
    return RenderedRays(one[:, None], torch.full((1, 3), 0.5), one, w.sum(dim=1), depth, w, volume_weights=w)


def test_weight_counts_where_the_depth_is() -> None:
    # two samples are a factor of 2 ** (2 * 4 / 5) = 3.03 here: those at 2, 4 and 8 m are near 4 m
    found = weights_loss(rendered_rays([0.5, 0.1, 0.2, 0.1, 0.1]), torch.tensor([4.0]))
    assert float(found) == pytest.approx(-np.log(0.41), abs=1e-4)
    assert float(weights_loss(rendered_rays([0.2] * 5), torch.tensor([0.0]))) == 0


def test_colours_by_hand() -> None:
    assert float(color_loss(rendered_rays([0.2] * 5), torch.full((1, 3), 0.7))) == pytest.approx(0.2 + 5 * 0.04)


def test_psnr_is_the_mean_over_the_views() -> None:
    assert mean_psnr([torch.full((4,), 0.01), torch.full((9,), 0.0001), torch.zeros(0)]) == pytest.approx(30)


def test_without_depth_the_score_is_of_all_rays(scenes: list[PosedScene]) -> None:
    """With a constant score the first weights would stay the best."""
    blind = [dataclasses.replace(scene, depth=torch.zeros_like(scene.depth)) for scene in scenes]
    recipe = GnesfRecipe(GnesfTraining(representation="density", **SIZES), LABELS, blind, blind, {})
    with torch.inference_mode():
        found = recipe.validate(recipe.build_model().eval())
    assert found["score"] == found["psnr"] > 0


def test_surfaces_that_are_shown() -> None:
    K = torch.tensor([[10.0, 0, 4.5], [0, 10, 4.5], [0, 0, 1]])[None]
    views = SourceViews(torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 5, 5), K, torch.eye(4)[None], (10, 10))
    rays = Rays(torch.zeros(3, 3), torch.tensor([[0.0, 0, 1], [0, 0, 1], [0.6, 0, 0.8]]), torch.tensor([1, 1, 1.25]))
    assert shown_to_sources(views, rays, torch.tensor([2.0, 0.0, 2.0])).tolist() == [True, False, False]


def test_a_field_starts_from_the_parts_of_another(scenes: list[PosedScene], tmp_path: Path) -> None:
    first = GnesfRecipe(GnesfTraining(**SIZES), LABELS, scenes, scenes, {})
    torch.manual_seed(1)
    other = first.build_model()
    facts = {"validation": {}, "git_revision": "", "step": 1}
    first.save(other, tmp_path / "sdf.safetensors", facts)
    torch.manual_seed(2)
    recipe = GnesfRecipe(
        GnesfTraining(representation="density", **SIZES), LABELS, scenes, scenes, {}, tmp_path / "sdf.safetensors"
    )
    model = recipe.build_model()
    for name, value in model.state_dict().items():
        same = name in other.state_dict() and torch.equal(value, other.state_dict()[name])
        if name.startswith(("image_net.", "volume_net.", "voting.")):
            assert same, name
        elif name.endswith("weight") and "ray_density.out" not in name:
            assert not same, name


def test_a_share_of_the_windows_has_depth(scenes: list[PosedScene]) -> None:
    recipe = GnesfRecipe(GnesfTraining(representation="density", depth_share=0.5, **SIZES), LABELS, scenes, scenes, {})
    samples = recipe.samples()
    given = [bool((samples[n]["source_depth"] > 0).any()) for n in range(20)]
    assert 3 <= sum(given) <= 17


def test_the_command_trains_resumes_and_exports(data: Path, tmp_path: Path) -> None:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SIZES.items()]
    command = ["train", "gnesf", "--data", str(data), "--out", str(tmp_path / "run"), "--segmenter", "noisy:0"]
    command += [*flags, "--batch", "1", "--steps", "3", "--device", "cpu", "--threads", "1"]
    assert main([*command, "--max-minutes", "0.0001"]) == 0
    assert main([*command, "--resume"]) == 0
    assert main(["train", "export", str(tmp_path / "run"), str(tmp_path / "field")]) == 0
    card = load_card(tmp_path / "field" / "field.safetensors")
    assert card.kind == "gnesf_field" and card.data["training"]["scenes"] == ["room0"]
    assert card.training["step"] == 3 and len(card.training["commands"]) == 2
