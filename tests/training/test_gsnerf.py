"""The recipe of a GSNeRF: samples, losses by hand, a short training of each kind, fine-tuning, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.cli import main
from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.fields.gsnerf.source_depth import LevelDepth, SourceDepth
from sem_field_ros.fields.registry import open_scene
from sem_field_ros.labels import load_label_set
from sem_field_ros.training.gsnerf_losses import plane_loss, rendered_color_loss, smoothness, supervised_depth_loss
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.recipes.gsnerf import GsnerfRecipe, GsnerfTraining
from sem_field_ros.training.samples.posed_scenes import PosedScene, read_scenes
from sem_field_ros.training.samples.target_views import (
    TargetConfig,
    draw_target,
    erroneous_depth,
    pick_sources,
    window_of,
)

from .posed import write_rooms

LABELS = load_label_set("scannet20")
SIZES = {"network": "tiny", "image_width": 64, "views": 4, "rays": 48, "validation_windows": 2}


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


def level(depth: float, peak: int) -> LevelDepth:
    planes = torch.tensor([1.0, 2.0, 4.0, 8.0])[:, None, None].expand(-1, 2, 2)
    scores = torch.zeros(4, 2, 2)
    scores[peak] = 50
    return LevelDepth(planes, scores, torch.full((2, 2), depth))


def test_sources_are_the_nearest_and_never_the_target(scenes: list[PosedScene]) -> None:
    scene, random = scenes[0], np.random.default_rng(0)
    for target in range(len(scene)):
        found = pick_sources(scene, target, 3, random, augment=False)
        assert target not in found and len(set(found)) == 3
        assert pick_sources(scene, target, 4, random) != [] and target not in pick_sources(scene, target, 4, random)


def test_the_target_view_is_reproduced_by_its_own_depth(scenes: list[PosedScene]) -> None:
    """The rays of a sample end on the surface of the target's depth image, and so in the sources' depth images."""
    config = TargetConfig(4, 0, 200)
    sample = draw_target(scenes[0], config, np.random.default_rng(3), augment=False)
    window = window_of(sample)
    rays = window.rays[window.chosen]
    points = rays.at((sample["target_depth"] * rays.scale)[:, None])
    T = window.T_camera_target[0]
    local = points @ T[:3, :3].T + T[:3, 3]
    pixels = local @ window.K[0].T
    uv = (pixels[:, :2] / pixels[:, 2:] - 1) / 2  # pixels of the depth image
    inside = (uv > 1).all(1) & (uv < torch.tensor([30.0, 22.0])).all(1) & (local[:, 2] > 0.1)
    u, v = uv[inside].round().long().T
    residual = (window.depth[0][v, u] / local[inside, 2]).log().abs()
    assert inside.sum() > 40 and float(residual.median()) < 0.03


def test_erroneous_depth_has_small_smooth_errors_and_holes() -> None:
    depth = torch.full((3, 60, 80), 2.0)
    found = erroneous_depth(depth, np.random.default_rng(1))
    known = found > 0
    assert 0.7 < float(known.float().mean()) < 1 and float((found[known] / 2).log().abs().mean()) < 0.1
    both = known[:, 1:] & known[:, :-1]
    assert float(found.diff(dim=1)[both].abs().max()) < 0.1 and bool((depth == 2).all())


def test_depth_losses_by_hand() -> None:
    right = SourceDepth(torch.ones(2, 2), torch.ones(2, 2), [level(2.0, 1)], torch.zeros(1))
    wrong = SourceDepth(torch.ones(2, 2), torch.ones(2, 2), [level(4.0, 2)], torch.zeros(1))
    truth = torch.full((4, 4), 2.0)
    assert float(supervised_depth_loss(right, truth, 0.3, 9.0)) == pytest.approx(0, abs=1e-6)
    # smooth L1 of log 2 in units of 0.05, and 0.1 times a cross entropy of 50
    wanted = 0.05 * (np.log(2) / 0.05 - 0.5) + 0.1 * 50
    assert float(supervised_depth_loss(wrong, truth, 0.3, 9.0)) == pytest.approx(wanted, rel=1e-4)
    none = torch.zeros(4, 4)
    assert float(supervised_depth_loss(wrong, none, 0.3, 9.0)) == 0
    assert float(plane_loss(level(1, 0), torch.full((2, 2), 5.0), torch.ones(2, 2, dtype=torch.bool))) == 0


def test_colours_are_compared_after_the_best_gain() -> None:
    truth = torch.rand(100, 3) * 0.5 + 0.1
    assert float(rendered_color_loss(truth * 0.8, truth)) == pytest.approx(0, abs=1e-9)
    assert float(rendered_color_loss(truth.flip(0), truth)) > 0.01


def test_smoothness_by_hand() -> None:
    image = torch.zeros(3, 1, 3)
    depth = torch.tensor([[1.0, 1.0, 0.5]])  # inverse 1, 1, 2: mean 4/3; steps 0 and 3/4
    assert float(smoothness(depth.expand(2, 3), image.expand(3, 2, 3))) == pytest.approx((0 + 0.75) / 2, rel=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"semantics": "decoder", "mixed_share": 1.0},
        {"depth": "self", "depth_views": 2},
        {"sampling": "uniform", "labels_at": "ray", "masks": False, "depth": "none", "depth_views": 0},
    ],
    ids=["supervised", "decoder", "self", "ablation"],
)
def test_each_kind_learns_a_step_and_is_rendered(
    scenes: list[PosedScene], tmp_path: Path, changes: dict[str, object]
) -> None:
    recipe = GsnerfRecipe(GsnerfTraining(**SIZES, **changes), LABELS, scenes, scenes, {})  # type: ignore[arg-type]
    loop = LoopConfig(steps=2, batch=1, lr=1e-2, warmup=0, validate_every=0, log_every=1, device="cpu")
    result = train(recipe, loop, tmp_path / "run")
    assert result.step == 2 and all(np.isfinite(losses(tmp_path / "run", "loss")))
    scene = open_scene(tmp_path / "run" / "best.safetensors", LABELS, SceneOptions(64))
    state = scene.model.state_dict()  # type: ignore[attr-defined]
    assert bool((state["volume_renderer.share.weight"] != 0).any()), "residuals start at zero"
    assert bool((state["cascade.nets.0.score.weight"] != 0).any()) == (changes.get("depth") != "none")


def test_depth_is_learned(scenes: list[PosedScene], tmp_path: Path) -> None:
    recipe = GsnerfRecipe(GsnerfTraining(**SIZES), LABELS, scenes, scenes, {})  # type: ignore[arg-type]
    loop = LoopConfig(steps=40, batch=1, lr=5e-3, warmup=5, validate_every=0, log_every=1, device="cpu")
    train(recipe, loop, tmp_path / "run")
    found = losses(tmp_path / "run", "depth")
    assert np.mean(found[-10:]) < 0.8 * np.mean(found[:10])


def test_the_command_trains_and_fine_tunes(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--network", "tiny", "--image-width", "64", "--views", "3", "--rays", "32", "--validation-windows", "1"]
    loop = ["--batch", "1", "--segmenter", "external", "--label-set", "scannet20", "--device", "cpu"]
    run, fine = tmp_path / "run", tmp_path / "fine"
    assert main(["train", "gsnerf", "--data", str(data), "--out", str(run), "--steps", "1", *small, *loop]) == 0
    weights = str(run / "best.safetensors")
    scene = str(data / "val" / "room1")
    flags = ["--finetune", scene, "--init", weights, "--out", str(fine), "--steps", "2"]
    assert main(["train", "gsnerf", *flags, *small, *loop]) == 0
    card = json.loads((fine / "best.json").read_text())
    assert card["kind"] == "gsnerf_field" and card["data"]["finetuned"] == {"scenes": ["room1"], "frames": 5}
    other = ["compact" if flag == "tiny" else flag for flag in small]
    flags[flags.index(str(fine))] = str(tmp_path / "other")
    assert main(["train", "gsnerf", *flags, *other, *loop]) != 0
    assert "best.safetensors: not of this network" in capsys.readouterr().err, "weights that do not fit are refused"


def test_flags_that_do_not_fit_are_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = str(data / "val" / "room1")
    assert main(["train", "gsnerf", "--out", str(tmp_path / "a")]) != 0
    assert "give either --data DIR... or --finetune SCENE" in capsys.readouterr().err
    assert main(["train", "gsnerf", "--finetune", scene, "--out", str(tmp_path / "b")]) != 0
    assert "--finetune needs --init FILE" in capsys.readouterr().err
