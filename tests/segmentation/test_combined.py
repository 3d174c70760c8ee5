"""Several segmenters as one: names, one label set, the mean, and each member's own answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import LabelClass, LabelSet, load_label_set
from sem_field_ros.segmentation.combined import CombinedSegmenter, mean_of
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter

from .frames import check_probabilities, frame_of

SCANNET = load_label_set("scannet20")


class Constant:
    """Says the same of every pixel."""

    def __init__(self, labels: LabelSet, shares: dict[str, float], size: tuple[int, int] = (3, 4), encoder: str = ""):
        self.labels, self.encoder = labels, encoder
        self._values = torch.zeros(len(labels), *size)
        for name, share in shares.items():
            self._values[labels.index_of(name)] = share

    def segment(self, frame: object) -> ClassProbabilities:
        return ClassProbabilities(self._values, torch.ones(2, 3, 4) if self.encoder else None, self.encoder)


def test_the_mean_and_every_member_in_one_label_set() -> None:
    ade = load_label_set("ade20k31")
    members = [
        Constant(SCANNET, {"chair": 0.6, "table": 0.4}, encoder="first"),
        Constant(ade, {"armchair": 1.0}, (6, 8)),
    ]
    segmenter = CombinedSegmenter(members)
    assert isinstance(segmenter, Segmenter) and segmenter.labels is SCANNET and segmenter.encoder == "first"
    out = segmenter.segment(frame_of(np.zeros((6, 8, 3), np.uint8)))
    check_probabilities(out, 20, 4, 3)
    assert float(out.values[SCANNET.index_of("chair"), 0, 0]) == pytest.approx(0.8)
    assert [view.values.shape for view in out.views] == [(20, 3, 4), (20, 6, 8)]
    assert float(out.members[1].values[SCANNET.index_of("chair"), 0, 0]) == 1.0
    assert out.encoder == "first" and out.features is not None and out.members[1].encoder == ""


def test_who_gives_no_prediction_does_not_weaken_the_others() -> None:
    nothing = ClassProbabilities(torch.zeros(2, 1, 2))
    sure = ClassProbabilities(torch.tensor([[[0.9, 0.0]], [[0.1, 0.0]]]))
    mean = mean_of([nothing, sure])
    assert mean.values[:, 0, 0].tolist() == pytest.approx([0.9, 0.1])
    assert mean.label_index().tolist() == [[0, -1]]
    assert sure.views == (sure,), "alone it is its own view"


def test_a_label_set_for_all() -> None:
    members = [Constant(SCANNET, {"desk": 1.0}), Constant(load_label_set("nyu40"), {"shelves": 1.0})]
    labels = load_label_set("nyu12")
    out = CombinedSegmenter(members, labels).segment(frame_of(np.zeros((3, 4, 3), np.uint8)))
    said = [labels.names[int(view.label_index()[0, 0])] for view in out.views]
    assert said == ["table", "bookshelf"]
    foreign = Constant(LabelSet("foreign", (LabelClass(1, "spaceship", (1, 2, 3)),)), {})
    with pytest.raises(SegmenterError, match="has no class of foreign"):
        CombinedSegmenter([members[0], foreign])


def test_names_with_plus() -> None:
    segmenter = make_segmenter("homes+ade20k+pascal", label_width=40)
    assert segmenter.labels.name == "scannet20"
    out = segmenter.segment(frame_of(np.zeros((60, 80, 3), np.uint8)))
    check_probabilities(out, 20, 40, 30)
    assert len(out.views) == 3
    assert make_segmenter("ade20k+homes").labels.name == "ade20k31"
    assert make_segmenter("ade20k+homes", "nyu40").labels.name == "nyu40"


def test_a_plus_in_a_path_is_part_of_it(tmp_path: Path) -> None:
    with pytest.raises(SegmenterError, match=r"a\+b.json cannot be read"):
        make_segmenter(f"trained:{tmp_path}/a+b.safetensors")
    with pytest.raises(SegmenterError, match=r"model .*x\+homes.onnx does not exist"):
        make_segmenter(f"homes+onnx:{tmp_path}/x+homes.onnx", None)
    with pytest.raises(SegmenterError, match="'magic' is unknown"):
        make_segmenter("magic+homes")
