"""Segmenters by name, and the errors for wrong names."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sem_field_ros.errors import LabelSetError, SegmenterError
from sem_field_ros.labels import load_label_set
from sem_field_ros.segmentation.registry import (
    DEFAULT_SEGMENTER,
    SEGMENTERS,
    check_segmenter,
    default_segmenter,
    label_source,
    labels_pixels,
    make_segmenter,
    takes_label_images,
)
from sem_field_ros.segmentation.segmenter import Segmenter

from .frames import frame_of


@pytest.mark.parametrize("name", ["external", "noisy:0.3", "pascal"])
def test_names_make_segmenters(name: str) -> None:
    segmenter = make_segmenter(name, label_width=40)
    assert isinstance(segmenter, Segmenter)
    frame = frame_of(np.zeros((60, 80, 3), np.uint8), np.full((60, 80), 1, np.uint8))
    assert segmenter.segment(frame).values.shape == (len(segmenter.labels), 30, 40)


def test_external_takes_the_sources_set_or_regroups() -> None:
    nyu = load_label_set("nyu40")
    assert make_segmenter("external").labels.name == "scannet20"
    assert make_segmenter("external", source=nyu).labels.name == "nyu40"
    into = make_segmenter("external", "scannet20", source=nyu)
    frame = frame_of(np.zeros((2, 2, 3), np.uint8), np.array([[39, 22], [5, 0]], np.uint8))
    names = [into.labels.names[i] if i >= 0 else None for i in into.segment(frame).label_index().flatten().tolist()]
    assert names == ["other furniture", None, "chair", None]


@pytest.mark.parametrize(
    ("name", "label_set", "message"),
    [
        ("magic", None, "'magic' is unknown; choose one of external"),
        ("none", None, "'none' makes no segmenter"),
        ("onnx:", None, "unknown"),
        ("noisy:", None, "unknown"),
        ("noisy:lots", None, "must be a number"),
        ("noisy:2", None, "noise rate"),
        ("tflite:some.tflite", None, "needs label_set"),
        ("pascal", "scannet20", "labels with set voc, not scannet20"),
    ],
)
def test_mistakes_say_what_to_do(name: str, label_set: str | None, message: str) -> None:
    with pytest.raises(SegmenterError, match=message) as error:
        make_segmenter(name, label_set)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_all_that_exist() -> None:
    with pytest.raises(SegmenterError) as error:
        make_segmenter("magic")
    assert all(key in str(error.value) for key in SEGMENTERS)
    with pytest.raises(LabelSetError, match="not found"):
        make_segmenter("external", "no-such-set")


@pytest.mark.parametrize(
    ("name", "package", "label_set"),
    [
        ("pascal", "ai_edge_litert.interpreter", None),
        ("onnx:net.onnx", "onnxruntime", "voc"),
        ("hf:org/model", "transformers", None),
    ],
)
def test_a_missing_package_names_its_install_line(monkeypatch, name: str, package: str, label_set: str | None) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SegmenterError, match="pip install"):
        make_segmenter(name, label_set)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("homes", "labels predicted by homes"),
        ("trained:/data/runs/mine.safetensors", "labels predicted by mine.safetensors"),
        ("hf:maker/model-b0", "labels predicted by model-b0"),
        ("homes+ade20k", "labels predicted by homes and ade20k"),
        ("external", "ground-truth labels"),
        ("noisy:0.3", "ground-truth labels, 30% of them corrupted"),
        ("none", "no labels"),
    ],
)
def test_captions_say_where_labels_come_from(name: str, source: str) -> None:
    assert label_source(name) == source


def test_who_takes_label_images() -> None:
    assert all(takes_label_images(name) for name in ("external", "noisy:0.2", "homes+external"))
    assert not any(takes_label_images(name) for name in ("homes", "none", "trained:external.safetensors"))


def test_the_demo_predicts() -> None:
    assert label_source(DEFAULT_SEGMENTER) == "labels predicted by homes and ade20k"


def test_names_are_checked_without_torch() -> None:
    code = "import sys; from sem_field_ros.segmentation.registry import check_segmenter as c; c('onnx:x'); "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("name", ["external", "noisy:0.2", "homes", "pascal", "trained:a:b.safetensors", "none"])
def test_known_names_pass(name: str) -> None:
    assert check_segmenter(name) == name


@pytest.mark.parametrize("name", ["", "pascal:", "homes:x", "onnx", "hf:", "Homes"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(SegmenterError, match="unknown; choose one of"):
        check_segmenter(name)


def test_none_is_asked_for_in_one_place() -> None:
    assert not labels_pixels("none") and labels_pixels("external")
    assert default_segmenter(None) == DEFAULT_SEGMENTER and default_segmenter(load_label_set("voc")) == "external"
