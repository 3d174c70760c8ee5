"""Fields by the kind on their card: a new one is a folder and a registry line, then it is used like the others."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sem_field_ros import cli
from sem_field_ros.errors import WeightsError
from sem_field_ros.fields import registry
from sem_field_ros.fields.registry import open_scene
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_ros.scene import Online, Queryable, Renderable
from sem_field_ros.weights import WeightsCard, save_weights
from tests.fields.toy.scene_of_weights import KIND

SCANNET = load_label_set("scannet20")
ROOM = Path(__file__).resolve().parents[2] / "samples" / "room"
MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of the toy field: orange, and everything a chair; the registry line that makes it known."""
    monkeypatch.setitem(registry.FIELDS, KIND, "tests.fields.toy.scene_of_weights")
    path = tmp_path / "toy" / "toy.safetensors"
    path.parent.mkdir()
    save_weights(path, {"rgb": torch.tensor([250.0, 120.0, 10.0])}, WeightsCard(KIND, {"class": "chair"}))
    return path


def test_a_toy_field_is_queried_and_rendered(toy: Path) -> None:
    scene = open_scene(toy, SCANNET)
    assert isinstance(scene, Queryable) and isinstance(scene, Renderable) and isinstance(scene, Online)
    chair = SCANNET.index_of("chair")
    assert scene.query(np.zeros((3, 3))).labels.tolist() == [chair] * 3
    view = scene.render(Intrinsics(10, 10, 3.5, 2.5, 8, 6), np.eye(4))
    assert view.rgb is not None and view.rgb[2, 3].tolist() == [250, 120, 10] and view.covered.all()


def test_a_toy_field_is_evaluated_and_drawn_like_the_others(toy: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "rows.json", tmp_path / "views.png"
    flags = ["--field", str(toy), "--segmenter", "external", "--fusion", "bayesian", "--max-frames", "5"]
    command = ["evaluate", "novel-views", str(ROOM), *flags, "--out", str(out), "--picture", str(picture)]
    assert cli.main(command) == 0
    rows = {(row["method"], row["metric"]): row["value"] for row in json.loads(out.read_text())}
    assert 0 < rows["toy", "accuracy_2d"] < 0.5 and 0 < rows["toy", "psnr"] < 15
    assert rows["bayesian", "accuracy_2d"] > rows["toy", "accuracy_2d"]
    drawn = cv2.imread(str(picture))[..., ::-1].reshape(-1, 3)
    assert (np.abs(drawn.astype(int) - [250, 120, 10]).max(axis=1) < 3).sum() > 500, "its rendering is in the picture"


def test_other_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not a field; fields: gnesf_field, ibrnet_field"):
        open_scene(MODELS / "gnesf_map" / "gnesf_map.safetensors", SCANNET)
    with pytest.raises(WeightsError, match="cannot be read"):
        open_scene(tmp_path / "nowhere.safetensors", SCANNET)
