"""Training of a second head: learns, remembers, resumes; photographs without labels."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sem_field_ros.cli import main
from sem_field_ros.errors import DataError
from sem_field_ros.labels import load_label_set
from sem_field_ros.segmentation.trained import TrainedSegmenter
from sem_field_ros.training.recipes.rooms import RoomsRecipe, RoomsTraining
from sem_field_ros.training.samples.labelled_frames import LabelledFrame, photographs

from .homes import picture, write_homes

LABELS = load_label_set("scannet20")


def recipe(photos: int = 0, **settings: object) -> RoomsRecipe:
    rng = np.random.default_rng(0)
    pictures = [picture(rng) for _ in range(4)]
    data = [LabelledFrame(f"a/{i}", c, LABELS.to_index(ids).astype(np.int8)) for i, (c, ids) in enumerate(pictures)]
    shown = [LabelledFrame(f"p/{i}", data[i].color, np.full((48, 64), -1, np.int8)) for i in range(photos)]
    config = RoomsTraining(**{"crop_width": 64, "crop_height": 64, "strength": 0.0, **settings})
    return RoomsRecipe(config, LABELS, data, data, {}, photos=shown)


def batch(made: RoomsRecipe, numbers: range) -> tuple[torch.Tensor, torch.Tensor]:
    samples = made.samples()
    return samples.collate([samples[n] for n in numbers])


def test_at_the_start_nothing_is_forgotten_and_then_it_learns() -> None:
    made = recipe()
    model = made.build_model()
    data = batch(made, range(4))
    loss, logs = made.loss(model, data)
    assert logs["forgotten"].item() == pytest.approx(0, abs=1e-4) and logs["photos"] == 0
    optimizer = torch.optim.Adam([p for g in made.parameter_groups(model) for p in g.parameters], lr=3e-3)
    for _ in range(12):
        step, _ = made.loss(model, data)
        optimizer.zero_grad()
        step.backward()
        optimizer.step()
    assert made.loss(model, data)[0].item() < 0.8 * loss.item()


def test_kept_blocks_and_a_kept_net_are_not_trained() -> None:
    trained = {name for name, p in recipe().build_model().named_parameters() if p.requires_grad}
    assert not any(name.startswith(("first.backbone.stem", "first.backbone.blocks.5.")) for name in trained)
    assert any(name.startswith("first.backbone.blocks.6.") for name in trained)
    kept = recipe(backbone_lr=0.0).build_model()
    assert all(name.startswith("correction.") for name, p in kept.named_parameters() if p.requires_grad)
    everything = recipe(freeze_blocks=0).build_model()
    assert all(p.requires_grad for p in everything.parameters())


def test_photographs_take_their_share_and_hold_the_second_head() -> None:
    made = recipe(photos=2, photo_share=0.5)
    images, index = batch(made, range(64))
    photos = (index < 0).flatten(1).all(dim=1)
    assert 0.35 < photos.float().mean() < 0.65
    model = made.build_model()
    with torch.no_grad():
        bias = model.correction.classifier.bias
        assert bias is not None
        _, before = made.loss(model, (images[photos][:2], index[photos][:2]))
        bias[LABELS.index_of("bathtub")] += 12
        _, after = made.loss(model, (images[photos][:2], index[photos][:2]))
    assert before["photos"].item() < 0.3 < 3 < after["photos"].item()


def test_reading_photographs(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "deep" / "a.PNG"), np.full((4, 6, 3), (255, 0, 0), np.uint8))  # blue
    (frame,) = photographs([tmp_path])
    assert frame.color[0, 0].tolist() == [0, 0, 255] and (frame.index == -1).all() and frame.index.shape == (4, 6)
    (tmp_path / "b.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match="b.jpg cannot be read"):
        photographs([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no .jpg or .png"):
        photographs([tmp_path / "empty"])


def test_the_command_trains_resumes_and_its_weights_segment(tmp_path: Path) -> None:
    write_homes(tmp_path / "homes")
    flags = ["--crop-width", "64", "--crop-height", "64", "--batch", "2", "--device", "cpu", "--threads", "1"]
    command = ["train", "rooms", "--data", str(tmp_path / "homes"), "--out", str(tmp_path / "run"), "--steps", "2"]
    photos = ["--photos", str(tmp_path / "homes" / "training" / "home0" / "color")]
    assert main([*command, *photos, *flags, "--max-minutes", "0.00001"]) == 0
    assert main([*command, *photos, *flags, "--resume"]) == 0
    card = json.loads((tmp_path / "run" / "best.json").read_text())
    assert card["architecture"]["network"] == "mosaic_rooms" and card["output"]["image_width"] == 384
    assert card["data"]["photos"]["frames"] == 3
    assert TrainedSegmenter(tmp_path / "run" / "best.safetensors").labels.names == LABELS.names
