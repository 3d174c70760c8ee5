"""Probabilities into another label set: sums of what belongs together, no opinion on what has no counterpart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import LabelClass, LabelSet, load_label_set
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.segmentation.regrouping import RegroupedSegmenter, assignment, regrouped

from .frames import frame_of

ADE, SCANNET = load_label_set("ade20k31"), load_label_set("scannet20")


def pixel(**shares: float) -> torch.Tensor:
    values = torch.zeros(len(ADE), 1, 1)
    for name, share in shares.items():
        values[ADE.index_of(name)] = share
    return values


def into_scannet(values: torch.Tensor) -> dict[str, float]:
    found = regrouped(values, assignment(ADE, SCANNET))[:, 0, 0]
    return {name: round(float(v), 4) for name, v in zip(SCANNET.names, found, strict=True)}


def test_what_belongs_together_is_summed() -> None:
    found = into_scannet(pixel(chair=0.3, armchair=0.4, rug=0.1, floor=0.2))
    assert found["chair"] == 0.7 and found["floor"] == 0.3 and sum(found.values()) == pytest.approx(1)


def test_what_has_no_counterpart_is_forced_into_no_class() -> None:
    found = into_scannet(pixel(ceiling=0.4, wall=0.6))
    assert found["wall"] == 0.62 and {v for n, v in found.items() if n != "wall"} == {0.02}
    assert set(into_scannet(pixel(ceiling=0.6, wall=0.4)).values()) == {0.0}, "most probably nothing of ScanNet's"
    found = into_scannet(pixel(ceiling=0.3, person=0.3, chair=0.2, armchair=0.2))
    assert found["chair"] == pytest.approx(0.43), "no single class is more probable"


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_sums_are_one_or_nothing(seed: int) -> None:
    values = torch.from_numpy(np.random.default_rng(seed).dirichlet(np.full(32, 0.2), size=(3, 4))).permute(2, 0, 1)
    for name in ("scannet20", "nyu40", "replica19", "nyu12", "voc", "stanford13"):
        found = regrouped(values.float(), assignment(ADE, load_label_set(name)))
        total = found.sum(dim=0)
        assert bool(((total - 1).abs() < 1e-4).logical_or(total == 0).all()) and bool((found >= 0).all())


def test_the_same_set_stays_as_it_is_and_a_foreign_one_is_refused() -> None:
    values = pixel(wall=1.0)
    assert assignment(ADE, ADE) is None and regrouped(values, None) is values
    foreign = LabelSet("foreign", (LabelClass(1, "spaceship", (1, 2, 3)),))
    with pytest.raises(SegmenterError, match="label set foreign has no class of ade20k31: leave label_set empty"):
        assignment(ADE, foreign)


def test_any_segmenter_can_be_regrouped() -> None:
    external = make_segmenter("external", source=SCANNET)
    segmenter = RegroupedSegmenter(external, load_label_set("nyu12"))
    labels = np.array([[14, 24]], np.uint8)  # desk, refrigerator
    out = segmenter.segment(frame_of(np.zeros((1, 2, 3), np.uint8), labels))
    assert segmenter.labels.names[int(out.label_index()[0, 0])] == "table" and int(out.label_index()[0, 1]) == -1


def test_sets_of_one_name_with_other_classes_are_matched_by_class_name() -> None:
    """An edited copy of a label file often keeps the set's name."""
    own = LabelSet("kitchen", (LabelClass(1, "cup", (9, 9, 9)), LabelClass(2, "pan", (99, 9, 9))))
    edited = LabelSet("kitchen", (LabelClass(1, "pan", (9, 9, 9)), LabelClass(2, "cup", (99, 9, 9))))
    assert own.regroup(edited).tolist() == [1, 0]
    values = torch.tensor([0.9, 0.1]).reshape(2, 1, 1)
    assert regrouped(values, assignment(own, edited))[:, 0, 0].tolist() == pytest.approx([0.1, 0.9])
    assert assignment(own, own) is None
