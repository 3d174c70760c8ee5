"""The recipe of depth from posed views: samples depend on their number alone, the error falls, the command works."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from sem_field_ros.cli import main
from sem_field_ros.depth.network_depth import NetworkDepth
from sem_field_ros.labels import load_label_set
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.recipes.depth import DepthRecipe, DepthTraining
from sem_field_ros.training.samples.matched_frames import pick_others
from sem_field_ros.training.samples.posed_scenes import read_scenes

from .posed import write_rooms

SIZES = {"network": "tiny", "encoder": "random", "image_width": 64, "views": 4, "validation_frames": 3}


def test_the_error_falls_and_samples_repeat(tmp_path: Path) -> None:
    write_rooms(tmp_path / "data")
    scenes = read_scenes([tmp_path / "data" / "train" / "room0"], load_label_set("scannet20"), None, 64)
    recipe = DepthRecipe(DepthTraining(**SIZES), scenes, scenes, {})
    again = DepthRecipe(DepthTraining(**SIZES), scenes, scenes, {})
    a, b = recipe.samples()[7], again.samples()[7]
    assert torch.equal(a[0], b[0]) and torch.equal(a[2], b[2])
    assert a[0].shape == (33, 12, 16) and a[2].shape == (12, 16)
    loop = LoopConfig(steps=60, batch=3, lr=5e-3, warmup=5, validate_every=0, log_every=1, device="cpu")
    train(recipe, loop, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    errors = [line["error"] for line in lines if "error" in line]
    assert np.mean(errors[-10:]) < 0.5 * np.mean(errors[:5])


def test_other_views_are_others() -> None:
    for n in range(50):
        frames = 2 + n % 10
        others = pick_others(frames, n % frames, 5, np.random.default_rng(n))
        assert others and n % frames not in others and len(set(others)) == len(others) <= 5
        assert all(0 <= i < frames for i in others)


def test_the_command_trains_and_exports_what_maps(tmp_path: Path) -> None:
    write_rooms(tmp_path / "data")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SIZES.items()]
    command = ["train", "depth", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), *flags]
    assert main([*command, "--steps", "2", "--batch", "2", "--device", "cpu", "--threads", "1"]) == 0
    assert main(["train", "export", str(tmp_path / "run"), str(tmp_path / "net")]) == 0
    assert NetworkDepth(tmp_path / "net" / "net.safetensors").model.config.sweep.planes == 16
