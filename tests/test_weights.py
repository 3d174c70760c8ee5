"""Weights files: what is written comes back; anything that does not fit is one clear line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from sem_field_ros.errors import OutputError, WeightsError
from sem_field_ros.weights import (
    WeightsCard,
    load_card,
    load_image_model,
    load_into,
    load_model,
    load_weights,
    save_weights,
)

CARD = WeightsCard("toy", {"width": 3}, scores={"miou": 0.5}, git_revision="abc")


def net(width: int = 3) -> nn.Module:
    torch.manual_seed(width)
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_weights(tmp_path / "net.safetensors", net().state_dict(), CARD)
    return tmp_path / "net.safetensors"


def test_round_trip(saved: Path) -> None:
    state, card = load_weights(saved, "toy")
    assert card.architecture == {"width": 3} and card.scores == {"miou": 0.5} and len(card.sha256) == 64
    other = net(3)
    nn.init.zeros_(other[0].weight)
    load_into(other, state)
    assert all(torch.equal(v, net().state_dict()[k]) for k, v in other.state_dict().items())


def test_a_model_is_built_as_its_card_says_and_runs_as_saved(saved: Path) -> None:
    model, card = load_model(saved, "toy", lambda content: net(content["width"]))
    assert card.kind == "toy" and not model.training
    assert all(torch.equal(v, net().state_dict()[k]) for k, v in model.state_dict().items())
    with pytest.raises(WeightsError, match=r"net\.safetensors: not of this network"):
        load_model(saved, "toy", lambda content: net(content["width"] + 1))


def test_the_width_of_images_is_a_number_or_one_line(tmp_path: Path) -> None:
    def width(output: dict[str, object]) -> int:
        path = tmp_path / "net.safetensors"
        save_weights(path, net().state_dict(), replace(CARD, output=output))
        model, found = load_image_model(path, "toy", lambda content: net(content["width"]), torch.device("cpu"))
        assert isinstance(model, nn.Module) and not model.training
        return found

    assert width({"image_width": "64"}) == 64
    for output in ({}, {"image_width": None}, {"image_width": "wide"}):
        with pytest.raises(WeightsError, match="net.safetensors: its card has no image_width$"):
            width(output)


def test_half_is_stored_small_and_loaded_as_the_network_is(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_weights(path, net().state_dict(), CARD, half=True)
    state, _ = load_weights(path, "toy")
    assert state["0.weight"].dtype == torch.float16 and state["1.num_batches_tracked"].dtype == torch.int64
    model = net()
    load_into(model, state)
    assert model[0].weight.dtype == torch.float32
    assert torch.equal(model[0].weight, net()[0].weight.half().float())


def test_tied_weights_are_stored(tmp_path: Path) -> None:
    weight = torch.ones(2, 2)
    save_weights(tmp_path / "tied.safetensors", {"a": weight, "b": weight, "c": weight[:1]}, CARD)
    state, _ = load_weights(tmp_path / "tied.safetensors", "toy")
    assert torch.equal(state["a"], state["b"]) and state["c"].shape == (1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.bias"), "lacks 0.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "has unknown extra"),
        (lambda s: s.update({"0.bias": torch.zeros(4)}), r"0.bias \[4\], not \[3\]"),
        (lambda s: s.update({"0.bias": torch.tensor([0, float("nan"), 0])}), "unusable values in 0.bias"),
        (lambda s: s.update({"0.bias": torch.zeros(3, dtype=torch.int32)}), "unusable values in 0.bias"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_copied(change, message: str) -> None:
    model = net()
    state = {k: v + 1 for k, v in net().state_dict().items()}
    change(state)
    with pytest.raises(WeightsError, match=message) as error:
        load_into(model, state, "some file")
    assert "\n" not in str(error.value) and str(error.value).startswith("some file")
    assert all(torch.equal(v, net().state_dict()[k]) for k, v in model.state_dict().items())


def test_many_problems_are_counted_not_listed() -> None:
    with pytest.raises(WeightsError, match="and 4 more"):
        load_into(net(), {})


def test_damaged_missing_and_foreign_files(saved: Path, tmp_path: Path) -> None:
    def fails(path: Path, message: str, kind: str = "toy") -> None:
        with pytest.raises(WeightsError, match=message) as error:
            load_weights(path, kind)
        assert "\n" not in str(error.value)

    fails(saved, "holds a 'toy', not a 'segmenter'", "segmenter")
    fails(tmp_path / "none.safetensors", "none.json cannot be read")
    fails(tmp_path / "net.bin", "is called NAME.safetensors")
    data = saved.read_bytes()
    saved.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    fails(saved, "sha256 differs")
    saved.unlink()
    fails(saved, "cannot be read")
    sidecar = saved.with_suffix(".json")
    content = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**content, "format": 9}))
    fails(saved, "format 9")
    sidecar.write_text(json.dumps({**content, "surprise": 1}))
    fails(saved, "surprise")
    sidecar.write_text("{")
    fails(saved, "cannot be read as the card")


def test_a_file_that_is_no_safetensors(saved: Path) -> None:
    import hashlib

    saved.write_bytes(b"nonsense")
    content = json.loads(saved.with_suffix(".json").read_text())
    content["sha256"] = hashlib.sha256(b"nonsense").hexdigest()
    saved.with_suffix(".json").write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_weights(saved, "toy")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_weights(tmp_path / "file" / "net.safetensors", {}, CARD)


def test_the_card_alone(saved: Path) -> None:
    assert load_card(saved).git_revision == "abc"
