"""The context of a map: bound by names of classes, a clear line where they differ."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sem_field_ros.context.room_context import KIND, make_context
from sem_field_ros.errors import SettingError, WeightsError
from sem_field_ros.labels import LabelClass, LabelSet, label_set_to_dict
from sem_field_ros.weights import WeightsCard, save_weights
from tests.context.rooms import CLASSES, random_net, room

NAMES = ("floor", "wall", "table", "other")
LABELS = LabelSet("room", tuple(LabelClass(i, name, (i, i, i)) for i, name in enumerate(NAMES)))


def weights(folder: Path, strength: float = 1.0, labels: LabelSet = LABELS) -> str:
    net = random_net()
    card = WeightsCard(KIND, net.config.as_dict(), label_set_to_dict(labels), {"strength": strength})
    save_weights(folder / "net.safetensors", net.state_dict(), card)
    return str(folder / "net.safetensors")


def test_classes_are_bound_by_name(tmp_path: Path) -> None:
    path = weights(tmp_path)
    order = [2, 0, 3, 1]
    shuffled = LabelSet("mine", tuple(LABELS.classes[i] for i in order))
    surface, _ = room()
    plain, other = make_context("rooms", LABELS, path), make_context("rooms", shuffled, path)
    assert plain is not None and other is not None
    found = other.correct(replace(surface, fused=surface.fused[:, order]))
    torch.testing.assert_close(found, plain.correct(surface)[:, order])
    assert not torch.allclose(found, surface.fused[:, order], atol=0.01)


def test_strength_scales_the_correction(tmp_path: Path) -> None:
    surface, _ = room()
    path = weights(tmp_path, strength=0.5)
    nothing, half = make_context("rooms", LABELS, path, 0.0), make_context("rooms", LABELS, path)
    assert nothing is not None and half is not None and half.strength == 0.5
    torch.testing.assert_close(nothing.correct(surface), surface.fused)


def test_another_label_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = weights(tmp_path)
    others = LabelSet("two", LABELS.classes[:2])
    with caplog.at_level(logging.INFO):
        assert make_context("auto", others, path) is None
    assert caplog.messages == ["no context: its weights are for the classes of room, the map has those of two"]
    with pytest.raises(WeightsError, match=r"context 'rooms'.*classes of room, the map has those of two: choose other"):
        make_context("rooms", others, path)


def test_names_and_files_that_are_none(tmp_path: Path) -> None:
    assert make_context("none", LABELS) is None and len(NAMES) == CLASSES
    with pytest.raises(SettingError, match="context 'room' is unknown: choose one of none, auto, rooms"):
        make_context("room", LABELS)
    with pytest.raises(WeightsError, match=r"missing\.json cannot be read"):
        make_context("auto", LABELS, str(tmp_path / "missing.safetensors"))
