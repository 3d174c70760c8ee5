"""The vote's recipe on made-up scenes where one cue tells which view lies: the voter must learn to read it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sem_field_ros.errors import TrainingError
from sem_field_ros.fusion.learned import load_fusion
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.recipes.fusion import MapVoterRecipe
from sem_field_ros.training.recipes.fusion_settings import MapVoterTraining
from sem_field_ros.training.samples.vote_files import load_votes, save_votes
from sem_field_ros.training.samples.votes import SceneVotes

LABELS: LabelSet = load_label_set("chair_parts")
CLASSES = len(LABELS)
SOURCE = {"segmenter": "made up", "encoder": "none"}


def scene(seed: int, voxels: int = 300, encoder: int = 6) -> SceneVotes:
    """Three views; those with a large depth residual (two of three) agree on a wrong class, firmly."""
    g = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES, (voxels,), generator=g)
    wrong = (label + 1) % CLASSES
    honest = torch.randint(3, (voxels,), generator=g)
    said = torch.where(torch.arange(3) == honest[:, None], label[:, None], wrong[:, None])
    samples = (torch.eye(CLASSES)[said] * 0.6 + 0.4 / CLASSES) * 255
    cues = torch.zeros(voxels, 3, 5)
    cues[..., 3] = torch.where(torch.arange(3) == honest[:, None], 0.0, 0.08)
    return SceneVotes(
        f"scene{seed}",
        samples.round().to(torch.uint8),
        torch.randn(voxels, 3, encoder, generator=g).half(),
        cues.half(),
        torch.rand(voxels, 3, generator=g) + 0.5,
        torch.arange(3).expand(voxels, 3).int(),
        label,
    )


def recipe(**changes: object) -> MapVoterRecipe:
    config = MapVoterTraining(**{"features": 4, "views": 4, "rows": 64, **changes})  # type: ignore[arg-type]
    data = {"training": {"scenes": ["scene0", "scene1"], "voxels": 600}, "validation": {"scenes": ["scene2"]}}
    return MapVoterRecipe(config, LABELS, [scene(0), scene(1)], [scene(2)], data, SOURCE)


@pytest.mark.parametrize("pooling", ["linear", "log", "logits"])
def test_it_learns_whom_to_believe(pooling: str, tmp_path: Path) -> None:
    made = recipe(pooling=pooling, noise=0.0)
    loop = LoopConfig(steps=150, batch=4, lr=0.02, warmup=5, validate_every=0, device="cpu")
    result = train(made, loop, tmp_path / "run")
    assert result.best is not None and result.best > 0.95
    fusion, card = load_fusion(tmp_path / "run" / "best.safetensors")
    scores = card.scores["validation"]
    assert scores["bayesian"] < 0.05 and scores["majority"] < 0.05, "two of three lie"
    assert card.output == SOURCE and fusion.encoder == "none" and fusion.feature_dim == 4
    assert card.label_set is not None and card.label_set["name"] == LABELS.name


@pytest.mark.parametrize("pooling", ["linear", "log", "logits", "direct"])
def test_a_step_of_every_form(pooling: str) -> None:
    made = recipe(pooling=pooling, noise=1.0, feature_dropout=0.5)
    model = made.build_model()
    batch = made.collate([made[n] for n in range(4)])
    assert batch["probabilities"].shape == (256, 4, CLASSES) and batch["scores"][:, 3].abs().sum() == 0
    assert bool(batch["features"].isnan().any()) and not bool(batch["features"].isnan().all())
    loss, logs = made.loss(model, batch)
    loss.backward()
    assert bool(torch.isfinite(loss)) and 0 <= float(logs["accuracy"]) <= 1
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)


def test_samples_depend_on_their_number_alone() -> None:
    one, two = recipe(noise=1.0), recipe(noise=1.0)
    for n in (0, 5):
        torch.testing.assert_close(one[n], two[n], equal_nan=True)
    assert not torch.equal(one[0]["label"], one[1]["label"])


def test_no_features_or_no_scenes_are_told() -> None:
    bare = MapVoterRecipe(MapVoterTraining(), LABELS, [scene(0, encoder=0)], [scene(1, encoder=0)], {}, SOURCE)
    with pytest.raises(TrainingError, match="'made up' gives no image features"):
        bare.build_model()
    with pytest.raises(TrainingError, match="at least one training and one validation scene"):
        MapVoterRecipe(MapVoterTraining(), LABELS, [], [], {}, SOURCE)


def test_votes_come_back_from_their_file(tmp_path: Path) -> None:
    path, votes = tmp_path / "sub" / "scene4.safetensors", scene(4)
    origin = {"segmenter": "made up"}
    assert load_votes(path, origin) is None
    save_votes(path, votes, origin)
    back = load_votes(path, origin)
    assert back is not None and back.name == "scene4"
    for name in ("probabilities", "features", "cues", "scores", "keyframe_id", "label"):
        assert torch.equal(getattr(back, name), getattr(votes, name))
    assert load_votes(path, {"segmenter": "another"}) is None
