"""The shipped Pascal net, and scores, layouts and broken files in the TFLite backend."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import load_label_set
from sem_field_ros.resources import resource_path
from sem_field_ros.segmentation.tflite import PASCAL_MODEL, TfliteSegmenter, pascal_segmenter

from .frames import check_probabilities, frame_of

VOC = load_label_set("voc")


@pytest.fixture(scope="module")
def pascal() -> TfliteSegmenter:
    return pascal_segmenter()


def _photo() -> np.ndarray:
    image = cv2.imread(str(Path(__file__).parent / "photo" / "astronaut.jpg"))
    return np.ascontiguousarray(image[..., ::-1])


def test_finds_the_person_in_a_real_photograph(pascal: TfliteSegmenter) -> None:
    out = pascal.segment(frame_of(_photo()))
    check_probabilities(out, 21, 160, 160)
    person = out.label_index() == VOC.index_of("person")
    assert 0.4 < float(person.float().mean()) < 0.65
    assert bool(person[40:70, 60:80].all())  # the face
    assert bool(person[120:150, 30:70].all())  # the suit
    assert not bool(person[:60, 115:150].any())  # the model of the shuttle


def test_scores_lie_where_the_pixels_are() -> None:
    """A picture moved to the right moves its labels to the right by as much."""
    photo, segmenter = _photo(), pascal_segmenter(180)
    columns = torch.arange(180, dtype=torch.float32)
    centers = []
    for offset in (0, 120):
        image = np.full((240, 360, 3), 127, np.uint8)
        image[:, offset : offset + 240] = photo
        weight = segmenter.segment(frame_of(image)).values[VOC.index_of("person")].sum(dim=0)
        centers.append(float((weight * columns).sum() / weight.sum()))
    assert centers[1] - centers[0] == pytest.approx(60, abs=4)


def test_the_net_sees_rgb_in_its_own_type(pascal: TfliteSegmenter) -> None:
    color = np.full((60, 80, 3), (250, 10, 100), np.uint8)
    pascal.segment(frame_of(color))
    seen = pascal._interpreter.get_tensor(pascal._input["index"])
    assert seen.shape == (1, 513, 513, 3) and seen.dtype == np.uint8
    assert (seen == (250, 10, 100)).all()


def test_resample_puts_corner_scores_on_corner_pixels(pascal: TfliteSegmenter) -> None:
    scores = torch.zeros(33, 33, 1)
    scores[:, 16:] = 1.0  # between columns 15 and 16: input pixels 240 to 256 of 513
    row = pascal._resample(scores, 513, 4)[0, 0]
    assert row[240] == pytest.approx(0) and row[256] == pytest.approx(1) and row[248] == pytest.approx(0.5)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SegmenterError, match="no tensor with 19 channels.*replica19"):
        TfliteSegmenter(resource_path(PASCAL_MODEL), load_label_set("replica19"))
    with pytest.raises(SegmenterError, match="does not exist"):
        TfliteSegmenter(tmp_path / "none.tflite", VOC)
    (tmp_path / "bad.tflite").write_bytes(b"not a model at all" * 10)
    with pytest.raises(SegmenterError, match="cannot be loaded as a TFLite model") as error:
        TfliteSegmenter(tmp_path / "bad.tflite", VOC)
    assert "\n" not in str(error.value)


def test_the_shipped_label_list_is_the_voc_set() -> None:
    names = (resource_path(PASCAL_MODEL).parent / "pascal_voc_segmentation_labels.txt").read_text().split()
    assert tuple(names[:21]) == VOC.names
