"""Labels from outside: one-hot with a certainty, reduced by area, regrouped; unlabelled pixels do not vote."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import load_label_set
from sem_field_ros.segmentation.external import ExternalSegmenter

from .frames import check_probabilities, frame_of

SCANNET = load_label_set("scannet20")


def _frame(labels: np.ndarray, stamp_ns: int = 1):
    return frame_of(np.zeros((*labels.shape, 3), np.uint8), labels, stamp_ns)


def test_one_hot_by_hand() -> None:
    labels = np.array([[5, 5, 255, 0], [5, 7, 7, 13]], np.uint8)  # chair, table; 13 is no ScanNet-20 id
    out = ExternalSegmenter(SCANNET, certainty=0.9).segment(_frame(labels))
    check_probabilities(out, 20, 4, 2)
    chair, table = SCANNET.index_of("chair"), SCANNET.index_of("table")
    assert out.label_index().tolist() == [[chair, chair, -1, -1], [chair, table, table, -1]]
    assert out.values[chair, 0, 0] == pytest.approx(0.9) and out.values[table, 0, 0] == pytest.approx(0.1 / 19)
    assert out.values[:, 0, 2].sum() == 0


def test_full_certainty_is_noise_free_at_full_width() -> None:
    labels = np.random.default_rng(0).choice([1, 2, 5, 255], (60, 80)).astype(np.uint8)
    out = ExternalSegmenter(SCANNET, label_width=80, certainty=1.0).segment(_frame(labels))
    assert np.array_equal(SCANNET.to_id(out.label_index().numpy()), labels)
    assert set(out.values.unique().tolist()) == {0.0, 1.0}


def test_cells_mix_by_area_and_mostly_unlabelled_cells_do_not_vote() -> None:
    labels = np.full((4, 8), 255, np.uint8)
    labels[:, :3], labels[:, 3] = 1, 2  # the left cell: 3/4 wall, 1/4 floor
    labels[:2, 4] = 1  # the right cell: 1/8 wall, the rest unlabelled
    out = ExternalSegmenter(SCANNET, label_width=2, certainty=1.0).segment(_frame(labels))
    check_probabilities(out, 20, 2, 1)
    assert out.values[:2, 0, 0].tolist() == [0.75, 0.25]
    assert out.values[:, 0, 1].sum() == 0


def test_regroups_into_another_set() -> None:
    voc = load_label_set("voc")
    out = ExternalSegmenter(SCANNET, source=voc).segment(_frame(np.array([[9, 11, 20, 0, 3]], np.uint8)))
    names = [SCANNET.names[i] if i >= 0 else None for i in out.label_index()[0].tolist()]
    assert names == ["chair", "table", "other furniture", None, None]


def test_sixteen_bit_ids() -> None:
    out = ExternalSegmenter(SCANNET).segment(_frame(np.array([[5, 65535, 700]], np.uint16)))
    assert out.label_index().tolist() == [[SCANNET.index_of("chair"), -1, -1]]


def test_noise_is_reproducible_per_frame_and_leaves_out_unlabelled_pixels() -> None:
    labels = np.full((60, 80), 5, np.uint8)
    labels[:30] = 1
    labels[:, :20] = 255
    segmenter = ExternalSegmenter(SCANNET, label_width=80, noise_rate=0.3)
    one, again, other = (segmenter.segment(_frame(labels, stamp)).label_index() for stamp in (10, 10, 11))
    truth = torch.from_numpy(SCANNET.to_index(labels).astype(np.int64))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert bool((one[:, :20] == -1).all())
    assert 0.1 < float((one != truth)[:, 20:].float().mean()) < 0.6


def test_mistakes_are_errors() -> None:
    with pytest.raises(SegmenterError, match="needs a label image"):
        ExternalSegmenter(SCANNET).segment(frame_of(np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(SegmenterError, match="certainty"):
        ExternalSegmenter(SCANNET, certainty=0.01)
    with pytest.raises(SegmenterError, match="noise rate"):
        ExternalSegmenter(SCANNET, noise_rate=1.0)
