"""The recipe of the segmenter: learns a tiny set, resumes bit for bit, saves calibrated weights; its command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from sem_field_ros.cli import main
from sem_field_ros.labels import load_label_set
from sem_field_ros.segmentation.freezing import freeze_norm
from sem_field_ros.segmentation.network import SegmenterNet, tiny
from sem_field_ros.segmentation.trained import TrainedSegmenter
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.recipes.segmenter import SegmenterRecipe, SegmenterTraining
from sem_field_ros.training.samples.labelled_frames import LabelledFrame

from .homes import picture, write_homes, write_scene

LABELS = load_label_set("scannet20")
FLAGS = [
    "--network",
    "tiny",
    "--backbone",
    "random",
    "--crop-width",
    "64",
    "--crop-height",
    "48",
    "--batch",
    "4",
    "--device",
    "cpu",
    "--threads",
    "1",
]


def recipe(frames: int = 4, **settings: object) -> SegmenterRecipe:
    rng = np.random.default_rng(0)
    pictures = [picture(rng) for _ in range(frames)]
    data = [
        LabelledFrame(f"a/{i}", color, LABELS.to_index(ids).astype(np.int8)) for i, (color, ids) in enumerate(pictures)
    ]
    fixed = {"network": "tiny", "backbone": "random", "crop_width": 64, "crop_height": 48, "freeze_norm": False}
    return SegmenterRecipe(SegmenterTraining(**{**fixed, **settings}), LABELS, data, data, {"frames": frames})


def loop(steps: int, **settings: object) -> LoopConfig:
    fixed = {"batch": 4, "lr": 1e-2, "warmup": 5, "validate_every": 0, "log_every": 1, "device": "cpu"}
    return LoopConfig(steps=steps, **{**fixed, **settings})


def test_learns_a_tiny_set(tmp_path: Path) -> None:
    result = train(recipe(strength=0.3, rare_power=0.0, freeze_norm=True), loop(60), tmp_path)
    losses = [json.loads(line).get("loss") for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [loss for loss in losses if loss is not None]
    assert np.mean(losses[-10:]) < 0.4 * np.mean(losses[:5])
    assert result.best is not None and result.best > 0.7  # mIoU over wall, floor and table


def test_resumes_bit_for_bit(tmp_path: Path) -> None:
    """Channels-last kernels, batch statistics, frozen ones, augmentation, moving average: all of it."""
    settings = {"freeze_norm": True}
    train(recipe(**settings), loop(6, ema=0.9), tmp_path / "whole")
    train(recipe(**settings), loop(6, ema=0.9, max_minutes=1e-5), tmp_path / "parts")
    for _ in range(5):
        train(recipe(**settings), loop(6, ema=0.9, max_minutes=1e-5), tmp_path / "parts", resume=True)
    whole, parts = (safetensors.torch.load_file(tmp_path / n / "checkpoint.safetensors") for n in ("whole", "parts"))
    assert whole.keys() == parts.keys() and all(torch.equal(v, parts[k]) for k, v in whole.items())


def test_frozen_statistics_stay_and_names_too() -> None:
    torch.manual_seed(0)
    net = SegmenterNet(tiny(20))
    names = set(net.state_dict())
    before = net.backbone.bn0.running_mean.clone()
    freeze_norm(net.backbone)
    x = torch.rand(2, 3, 32, 32)
    net.train()
    training = net.backbone(x)
    net.eval()
    assert all(torch.equal(a, b) for a, b in zip(training, net.backbone(x), strict=True))
    assert set(net.state_dict()) == names and torch.equal(net.backbone.bn0.running_mean, before)
    assert isinstance(net.pyramid.merge[1], nn.BatchNorm2d)  # only the encoder's


def test_first_blocks_stay_as_they_are_where_they_were_pretrained(tmp_path: Path) -> None:
    train(recipe(), loop(1), tmp_path / "a")
    source = tmp_path / "a" / "last.safetensors"
    config = recipe(freeze_blocks=2).config
    r = SegmenterRecipe(config, LABELS, recipe().training, recipe().validation, {}, init=source)
    train(r, loop(3, weight_decay=0.1), tmp_path / "b")
    before, after = (safetensors.torch.load_file(tmp_path / n / "last.safetensors") for n in ("a", "b"))
    same = {
        k for k, v in before.items() if torch.equal(v, after[k]) and k.endswith(("conv.weight", "conv_stem.weight"))
    }
    frozen = ("backbone.conv_stem.", "backbone.blocks.0.", "backbone.blocks.1.")
    assert same == {k for k in before if k.startswith(frozen) and k.endswith(("conv.weight", "conv_stem.weight"))}
    assert all(p.requires_grad for p in recipe(freeze_blocks=2).build_model().parameters())  # random ones are trained


def test_unlabelled_pixels_do_not_count() -> None:
    r = recipe(smoothing=0.0, rare_power=0.0)
    images = torch.zeros(1, 3, 48, 64, dtype=torch.uint8)

    class Sure(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores = torch.zeros(1, 20, 12, 16)
            scores[:, 0] = 30.0
            return scores

    index = torch.zeros(1, 48, 64, dtype=torch.int8)
    assert float(r.loss(Sure(), (images, index))[0]) == pytest.approx(0, abs=1e-5)
    index[:, :24] = 1
    assert float(r.loss(Sure(), (images, index))[0]) == pytest.approx(15, rel=1e-3)  # half of them cost 30
    index[:, :24] = -1
    loss, logs = r.loss(Sure(), (images, index))
    assert float(loss) == pytest.approx(0, abs=1e-5) and float(logs["accuracy"]) == 1
    assert float(r.loss(Sure(), (images, torch.full_like(index, -1)))[0]) == 0  # nothing labelled: no NaN


def test_encoder_learns_slower_and_every_parameter_is_trained_once() -> None:
    r = recipe(backbone_lr=0.25)
    net = r.build_model()
    groups = r.parameter_groups(net)
    listed = [p for group in groups for p in group.parameters]
    assert len(listed) == len(set(listed)) == len(list(net.parameters()))
    assert {g.lr_scale for g in groups if net.backbone.conv_stem.weight in set(g.parameters)} == {0.25}
    assert {g.decay_scale for g in groups if net.classifier.bias in set(g.parameters)} == {0.0}


def test_the_command_trains_resumes_exports_and_the_model_segments(tmp_path: Path, capsys) -> None:
    write_homes(tmp_path / "homes")
    run, model = tmp_path / "run", tmp_path / "model"
    command = ["train", "segmenter", "--data", str(tmp_path / "homes"), "--out", str(run), *FLAGS, "--steps", "4"]
    assert main([*command, "--max-minutes", "1e-5"]) == 0
    assert "step 1, time limit: go on with --resume" in capsys.readouterr().out
    (tmp_path / "homes" / "training" / "home0").rename(tmp_path / "away")
    assert main([*command, "--resume"]) == 2  # a scene it began with is gone
    assert "are gone or unreadable, e.g. home0/" in capsys.readouterr().err
    (tmp_path / "away").rename(tmp_path / "homes" / "training" / "home0")
    write_scene(tmp_path / "homes" / "training" / "home7", 2, 7)  # a new scene changes nothing for a run that has begun
    assert main([*command, "--resume"]) == 0
    assert "step 4, done, best score" in capsys.readouterr().out
    assert main(["train", "export", str(run), str(model)]) == 0
    segmenter = TrainedSegmenter(model / "model.safetensors", label_width=32)
    assert segmenter.card.data["training"] == {"folders": ["homes"], "scenes": ["home0", "home1"], "frames": 6}
    scores = segmenter.card.scores["validation"]
    assert set(scores) >= {"miou", "accuracy", "ece", "ece_before"} and set(scores["iou"]) == {"wall", "floor", "table"}
    assert scores["miou"] == pytest.approx(np.mean(list(scores["iou"].values())))
    readme = model / "README.md"
    assert f"sha256 `{segmenter.card.sha256[:12]}" in readme.read_text() and "| command | `" in readme.read_text()
    readme.write_text("By hand.\n\n" + readme.read_text().replace("| steps |", "| wrong |") + "More by hand.\n")
    assert main(["train", "export", str(run), str(model)]) == 0
    text = readme.read_text()
    assert text.startswith("By hand.") and text.endswith("More by hand.\n") and "| wrong |" not in text
    assert segmenter.card.training["step"] == 4 and segmenter.card.output["image_width"] == 64
    assert main([*command]) == 2 and "already holds a run" in capsys.readouterr().err
    assert main(["train", "export", str(tmp_path / "none"), str(model)]) == 2


def test_starting_from_weights(tmp_path: Path) -> None:
    train(recipe(), loop(1), tmp_path / "a")
    source = tmp_path / "a" / "last.safetensors"
    r = SegmenterRecipe(recipe().config, LABELS, recipe().training, recipe().validation, {}, init=source)
    state = safetensors.torch.load_file(source)
    assert all(torch.equal(v, state[k]) for k, v in r.build_model().state_dict().items())


def test_no_data_is_one_line(tmp_path: Path, capsys) -> None:
    assert main(["train", "segmenter", "--data", str(tmp_path), "--out", str(tmp_path / "run"), *FLAGS]) == 2
    assert "no scene in" in capsys.readouterr().err
