"""The recipe of the context network on made-up rooms in which segmenters take table tops for floor, and its samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros import cli
from sem_field_ros.context.room_context import make_context
from sem_field_ros.errors import DataError, TrainingError
from sem_field_ros.labels import LabelClass, LabelSet, load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.segmentation.external import ExternalSegmenter
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.recipes.context import ContextRecipe, ContextTraining
from sem_field_ros.training.samples.confusions import confused, measured_confusions
from sem_field_ros.training.samples.context_samples import (
    ContextDraw,
    ContextSample,
    ContextSamples,
    damaged,
    moved,
    packed,
    unpacked,
)
from sem_field_ros.training.samples.context_scenes import (
    ContextScene,
    collect_context_scene,
    load_context_scene,
    save_context_scene,
)
from sem_field_ros.training.validation.context_scores import score_context
from sem_field_ros.weights import load_card
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom
from tests.context.rooms import CLASSES, FLOOR, TABLE, random_net, room
from tests.training.posed import write_rooms

NAMES = ("floor", "wall", "table", "other")
LABELS = LabelSet("room", tuple(LabelClass(i, name, (i, i, i)) for i, name in enumerate(NAMES)))


def scene(seed: int) -> ContextScene:
    """A room whose two sources agree; the second sees half of it."""
    surface, label = room(seed, voxel_m=0.1)
    fused = (surface.fused * 255).round().to(torch.uint8)
    views = torch.full((2, len(label)), 2, dtype=torch.uint8)
    views[1, ::2] = 0
    both = torch.stack([fused, fused * (views[1] > 0)[:, None]])
    up = torch.tensor([0.0, 0.0, 1.0])
    return ContextScene(f"room{seed}", ("a", "b"), surface.position, surface.normal, label, both, views, up)


def recipe(**changes: object) -> ContextRecipe:
    config = ContextTraining(**{"width": 8, "wide": 8, "damage": 0.3, "made_up": 0.0, **changes})  # type: ignore[arg-type]
    return ContextRecipe(config, LABELS, [scene(0), scene(1)], [scene(2)], {"training": {"scenes": ["room0"]}})


def test_it_learns_that_floor_at_table_height_is_a_table(tmp_path: Path) -> None:
    loop = LoopConfig(steps=120, batch=2, lr=0.01, warmup=5, validate_every=0, device="cpu")
    made = recipe(strength=0.9)
    result = train(made, loop, tmp_path / "run")
    before = score_context(made.build_model(), made.validation)["a"]
    assert before[0].iou[TABLE] == 0 and before[0].miou == before[1].miou, "untrained it changes nothing"
    assert result.best is not None and result.best > before[0].miou + 0.2
    context = make_context("rooms", LABELS, str(tmp_path / "run" / "best.safetensors"))
    assert context is not None and context.strength == 0.9
    surface, label = room(3, voxel_m=0.1)
    found = context.correct(surface).argmax(dim=1)
    assert (found[label == TABLE] == TABLE).float().mean() > 0.9
    assert (found[label == FLOOR] == FLOOR).float().mean() > 0.9


def test_without_scenes_there_is_nothing_to_learn() -> None:
    unlabelled = replace(scene(0), label=torch.full_like(scene(0).label, -1))
    with pytest.raises(TrainingError, match="needs at least one labelled training and one validation scene"):
        ContextRecipe(ContextTraining(), LABELS, [unlabelled], [scene(1)], {})


def test_samples_depend_on_their_number_alone() -> None:
    one, two = recipe(made_up=0.5, damage=1.0).samples(), recipe(made_up=0.5, damage=1.0).samples()
    for n in (0, 3):
        torch.testing.assert_close(one[n], two[n])
    assert len(one[0]["label"]) != len(one[1]["label"]) or not torch.equal(one[0]["fused"], one[1]["fused"])
    assert one.collate([one[0], one[1]])[1]["facts"].shape == (2,)


@pytest.mark.parametrize("seed", range(5))
def test_moved_rooms_keep_their_shape(seed: int) -> None:
    surface, label = room()
    rng = np.random.default_rng(seed)
    sample = moved(ContextSample(surface, label), rng)
    scale = sample.surface.voxel_m / surface.voxel_m
    a, b = surface.position[::97].double(), sample.surface.position[::97].double()
    torch.testing.assert_close(torch.cdist(b, b), scale * torch.cdist(a, a), atol=1e-3, rtol=1e-3)
    assert (sample.surface.normal[label == FLOOR][:, 2] > 0.98).all(), "up stays up"
    assert 0.9 <= scale <= 1.1


def test_damage_of_zero_is_none_and_more_is_some() -> None:
    surface, label = room()
    whole = damaged(ContextSample(surface, label), 0.0, np.random.default_rng(0))
    torch.testing.assert_close(packed(whole), packed(ContextSample(surface, label)))
    found = [damaged(ContextSample(surface, label), 1.0, np.random.default_rng(i)) for i in range(40)]
    assert min(len(part.label) for part in found) < 0.8 * len(label)
    assert any(not part.surface.floor_known for part in found) and any(part.surface.floor_known for part in found)
    for part in found:
        unseen = part.surface.support == 0
        assert not part.surface.fused[unseen].any() and len(part.surface.position) == len(part.label)
    torch.testing.assert_close(packed(unpacked(packed(found[0]))), packed(found[0]))


def test_measured_confusions_by_hand() -> None:
    matrices = measured_confusions([scene(0)], CLASSES)
    assert matrices.shape == (2, CLASSES, CLASSES)
    torch.testing.assert_close(matrices[0, TABLE], torch.eye(CLASSES)[FLOOR])
    torch.testing.assert_close(matrices[0, FLOOR], torch.eye(CLASSES)[FLOOR])
    assert not matrices[0, 3].any(), "no scene has this class"


def test_made_up_segmenters_err_by_patches_and_as_measured() -> None:
    surface, label = room()
    matrices = torch.eye(CLASSES)[None].repeat(3, 1, 1)
    matrices[:, TABLE] = torch.eye(CLASSES)[FLOOR]
    wrong, right = 0, 0
    for seed in range(20):
        found = confused(label, surface.position, matrices, np.random.default_rng(seed))
        torch.testing.assert_close(found.sum(dim=1), torch.ones(len(label)))
        top = found.argmax(dim=1)[label == TABLE]
        wrong, right = wrong + int((top == FLOOR).sum()), right + int((top == TABLE).sum())
    assert 0.05 < wrong / (wrong + right) < 0.95
    assert wrong + right > 0.8 * 20 * int((label == TABLE).sum()), "tables are mostly called what was measured"


def test_scenes_are_mapped_and_kept(tmp_path: Path) -> None:
    sequence, labels = SyntheticRoom(RoomConfig(seed=1, frames=3, width=64, height=48)), load_label_set("scannet20")
    sources = {"true": ExternalSegmenter(labels, label_width=32), "noisy": ExternalSegmenter(labels, noise_rate=0.5)}
    config = MapConfig(voxel_size_m=0.1, min_weight=1.0)
    found = collect_context_scene(sequence, labels, sources, config)
    assert found.sources == ("true", "noisy") and found.fused.shape == (2, len(found), len(labels))
    known = (found.label >= 0) & (found.views[0] > 0)
    assert known.float().mean() > 0.5
    agree = [(fused.argmax(dim=1) == found.label)[known].float().mean() for fused in found.fused]
    assert agree[0] > 0.97 and agree[1] < agree[0]
    assert found.up.tolist() == [0, 0, 1] and (found.fused[0][found.views[0] == 0] == 0).all()
    path = tmp_path / "scene.safetensors"
    save_context_scene(path, found, {"made": "here"})
    again = load_context_scene(path, {"made": "here"})
    assert again is not None and again.name == found.name and again.sources == found.sources
    torch.testing.assert_close(again.position, found.position)
    assert load_context_scene(path, {"made": "there"}) is None
    assert load_context_scene(tmp_path / "other.safetensors", {}) is None
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match="cannot be read"):
        load_context_scene(path, {})
    sequence.labels = None  # type: ignore[assignment]
    with pytest.raises(DataError, match="has no label images"):
        collect_context_scene(sequence, labels, sources, config)


def test_a_random_network_scores_otherwise() -> None:
    found = score_context(random_net(), [scene(0)], cell_m=0.0, strength=0.0)
    assert found["a"][0].miou == pytest.approx(found["a"][1].miou)
    assert set(found) == {"a", "b", "a+b"}
    assert ContextSamples([scene(0)], ContextDraw(0.0, 0.0, 0))[0]["facts"][1] == 1


def test_the_command_maps_scenes_once_and_trains(tmp_path: Path) -> None:
    write_rooms(tmp_path, frames=3)
    rooms = ["--training", str(tmp_path / "train/room0"), "--validation", str(tmp_path / "val/room1")]
    small = ["--segmenters", "homes", "--voxel-size-m", "0.1", "--width", "4", "--wide", "4", "--steps", "1"]
    small += ["--batch", "1", "--device", "cpu", "--surfaces", str(tmp_path / "kept"), "--threads", "1"]
    assert cli.main(["train", "context", *rooms, *small, "--out", str(tmp_path / "run")]) == 0
    files = sorted((tmp_path / "kept").glob("*.safetensors"))
    written = [file.stat().st_mtime_ns for file in files]
    assert len(files) == 2
    assert cli.main(["train", "context", *rooms, *small, "--out", str(tmp_path / "again")]) == 0
    assert [file.stat().st_mtime_ns for file in files] == written
    card = load_card(tmp_path / "again" / "last.safetensors")
    assert card.kind == "context" and card.data["training"]["scenes"] == ["room0"]
    assert cli.main(["train", "context", *rooms, *small, "--segmenters", "home", "--out", str(tmp_path / "no")]) != 0
