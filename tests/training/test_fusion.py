"""The recipe of the learned fusion on made-up votes, in which one cue marks the wrong views, and votes on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from sem_field_ros.errors import TrainingError
from sem_field_ros.fusion.learned import RESIDUAL_KIND, ResidualFusion, load_fusion
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.recipes.fusion import FusionRecipe, FusionTraining
from sem_field_ros.training.samples.vote_files import content_of, load_votes, save_votes, votes_path
from sem_field_ros.training.samples.votes import SceneVotes
from sem_field_ros.weights import tensor_bytes

LABELS: LabelSet = load_label_set("chair_parts")
CLASSES = len(LABELS)
SOURCE = {"segmenter": "made up", "encoder": "none"}


def scene(seed: int, voxels: int = 300, encoder: int = 6, members: int = 1) -> SceneVotes:
    """Three views; those with a large depth residual (two of three) agree on a wrong class."""
    g = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES, (voxels,), generator=g)
    wrong = (label + 1) % CLASSES
    right = torch.randint(3, (voxels,), generator=g)
    predicted = torch.where(torch.arange(3) == right[:, None], label[:, None], wrong[:, None])
    probabilities = (torch.eye(CLASSES)[predicted] * 0.6 + 0.4 / CLASSES) * 255
    cues = torch.zeros(voxels, 3, 5)
    cues[..., 3] = torch.where(torch.arange(3) == right[:, None], 0.0, 0.08)
    return SceneVotes(
        f"scene{seed}",
        probabilities.round().to(torch.uint8),
        torch.randn(voxels, 3, encoder, generator=g).half(),
        cues.half(),
        torch.rand(voxels, 3, generator=g) + 0.5,
        torch.arange(3).expand(voxels, 3).int(),
        label,
        members,
    )


def surer_when_right(seed: int, members: int = 1, voxels: int = 300) -> SceneVotes:
    """One view of three is right and sure to 0.75; two agree on a wrong class and are sure to 0.6."""
    votes = scene(seed, voxels, members=members)
    top = torch.where(votes.cues[..., 3] == 0, 0.75, 0.6)[..., None]
    right = votes.probabilities == votes.probabilities.amax(dim=2, keepdim=True)
    probabilities = torch.where(right, top, (1 - top) / (CLASSES - 1)) * 255
    return dataclasses.replace(votes, probabilities=probabilities.round().to(torch.uint8), scores=torch.ones(voxels, 3))


def test_the_residual_vote_learns_to_follow_sure_views(tmp_path: Path) -> None:
    config = FusionTraining(pooling="residual", views=4, rows=64, noise=0.0)
    data = {"training": {"scenes": ["scene0"]}, "validation": {"scenes": ["scene2"]}}
    made = FusionRecipe(config, LABELS, [surer_when_right(0)], [surer_when_right(2)], data, SOURCE)
    loop = LoopConfig(steps=120, batch=4, lr=0.02, warmup=5, validate_every=0, device="cpu")
    result = train(made, loop, tmp_path / "run")
    fusion, card = load_fusion(tmp_path / "run" / "best.safetensors")
    assert isinstance(fusion, ResidualFusion) and card.kind == RESIDUAL_KIND == made.name
    assert card.scores["validation"]["consistency"] < 0.5, "two of three are wrong"
    assert result.best is not None and result.best > 0.95


def test_scenes_with_other_numbers_of_segmenters_are_trained_on_together() -> None:
    """Slots of a segmenter that a scene does not have are empty."""
    config = FusionTraining(pooling="residual", views=3, rows=16, noise=0.0)
    scenes = [scene(0), scene(1, members=3)]
    scenes[1].__dict__["agreement"] = torch.tensor([0.1, 0.2, 0.3])  # its single keyframe tells nothing
    samples = FusionRecipe(config, LABELS, scenes, scenes, {}, SOURCE).samples()
    for sample in (samples[n] for n in range(8)):
        assert sample["scores"].shape == (16, 9) and sample["agreement"].shape == (16, 3)
        seen = sample["scores"].unflatten(1, (3, 3)) > 0
        one, several = seen[:, :, 0].any() and not seen[:, :, 1:].any(), seen[:, 0].any() and not seen[:, 1:].any()
        assert one or several
        assert sample["agreement"][0].tolist() == pytest.approx([0.5] * 3 if one else [0.1, 0.2, 0.3])


def recipe(**changes: object) -> FusionRecipe:
    config = FusionTraining(**{"features": 4, "views": 4, "rows": 64, **changes})  # type: ignore[arg-type]
    data = {"training": {"scenes": ["scene0", "scene1"], "voxels": 600}, "validation": {"scenes": ["scene2"]}}
    return FusionRecipe(config, LABELS, [scene(0), scene(1)], [scene(2)], data, SOURCE)


@pytest.mark.parametrize("pooling", ["linear", "log", "logits"])
def test_it_learns_which_views_are_right(pooling: str, tmp_path: Path) -> None:
    made = recipe(pooling=pooling, noise=0.0)
    loop = LoopConfig(steps=150, batch=4, lr=0.02, warmup=5, validate_every=0, device="cpu")
    result = train(made, loop, tmp_path / "run")
    assert result.best is not None and result.best > 0.95
    fusion, card = load_fusion(tmp_path / "run" / "best.safetensors")
    scores = card.scores["validation"]
    assert scores["bayesian"] < 0.05 and scores["majority"] < 0.05, "two of three are wrong"
    assert card.output == SOURCE and fusion.encoder == "none" and fusion.feature_dim == 4
    assert card.label_set is not None and card.label_set["name"] == LABELS.name


@pytest.mark.parametrize("pooling", ["linear", "log", "logits", "direct", "residual"])
def test_a_step_of_every_form(pooling: str) -> None:
    made = recipe(pooling=pooling, noise=1.0, feature_dropout=0.5)
    model = made.build_model()
    samples = made.samples()
    batch = samples.collate([samples[n] for n in range(4)])
    assert batch["probabilities"].shape == (256, 4, CLASSES) and batch["scores"][:, 3].abs().sum() == 0
    assert bool(batch["features"].isnan().any()) and not bool(batch["features"].isnan().all())
    loss, logs = made.loss(model, batch)
    loss.backward()
    assert bool(torch.isfinite(loss)) and 0 <= float(logs["accuracy"]) <= 1
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)


def test_samples_depend_on_their_number_alone() -> None:
    one, two = recipe(noise=1.0).samples(), recipe(noise=1.0).samples()
    for n in (0, 5):
        torch.testing.assert_close(one[n], two[n], equal_nan=True)
    assert not torch.equal(one[0]["label"], one[1]["label"])


def test_missing_features_and_scenes_are_errors() -> None:
    bare = FusionRecipe(FusionTraining(), LABELS, [scene(0, encoder=0)], [scene(1, encoder=0)], {}, SOURCE)
    with pytest.raises(TrainingError, match="'made up' gives no image features.*choose homes"):
        bare.build_model()
    with pytest.raises(TrainingError, match="at least one training and one validation scene"):
        FusionRecipe(FusionTraining(), LABELS, [], [], {}, SOURCE)


def test_votes_come_back_from_their_file(tmp_path: Path) -> None:
    path, votes = tmp_path / "sub" / "scene4.safetensors", scene(4, members=3)
    origin = {"segmenter": "made up"}
    assert load_votes(path, origin) is None
    save_votes(path, votes, origin)
    back = load_votes(path, origin)
    assert back is not None and back.name == "scene4" and back.members == 3
    for name in ("probabilities", "features", "cues", "scores", "keyframe_id", "label"):
        assert torch.equal(getattr(back, name), getattr(votes, name))
    assert load_votes(path, {"segmenter": "another"}) is None
    path.write_bytes(tensor_bytes({"label": votes.label}, origin))  # as of the version without `members`
    assert load_votes(path, origin) is None


def test_sequences_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    one, two = (votes_path(tmp_path, tmp_path / place / "room0", "room0.depth") for place in ("a", "b"))
    assert one != two and one.name.startswith("room0.depth.") and one.suffix == ".safetensors"
    assert one == votes_path(tmp_path, tmp_path / "a" / "room0", "room0.depth")
    assert one != votes_path(tmp_path, tmp_path / "a" / "room0", "room0.copy0.depth")


def test_changed_files_have_another_content(tmp_path: Path) -> None:
    (tmp_path / "color").mkdir()
    (tmp_path / "color" / "0.png").write_bytes(b"image")
    before = content_of(tmp_path)
    assert before == content_of(tmp_path)
    (tmp_path / "color" / "0.png").write_bytes(b"images")
    changed = content_of(tmp_path)
    assert changed != before
    (tmp_path / "color" / "1.png").write_bytes(b"")
    assert content_of(tmp_path) not in (before, changed)
    assert content_of(tmp_path / "color" / "0.png").startswith("1 files, 6 bytes")  # a bag is one file
