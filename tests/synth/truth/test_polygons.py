"""Polygons of labels: what is drawn over what, mistakes in one line, and the shipped truth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sem_field_ros.errors import DataError, LabelSetError
from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.labels import load_label_set
from sem_field_synth.truth.overlay import draw_overlay
from sem_field_synth.truth.polygons import LabelPolygons, read_polygons

SHIPPED = Path(__file__).resolve().parents[3] / "samples" / "truth" / "redkitchen.json"
LABELS = load_label_set("scannet20")
WALL, TABLE = LABELS.index_of("wall"), LABELS.index_of("table")


def square(left: int, top: int, right: int, bottom: int, name: str) -> dict[str, Any]:
    return {"class": name, "points": [[left, top], [right, top], [right, bottom], [left, bottom]]}


def read(folder: Path, *polygons: Any, **changes: Any) -> LabelPolygons:
    path = folder / "labels.json"
    content = {"label_set": "scannet20", "image_size": [20, 10], "frames": {"a": list(polygons)}, **changes}
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_polygons(path)


def test_corners_are_columns_and_rows_and_belong_to_the_polygon(tmp_path: Path) -> None:
    truth = read(tmp_path, square(12, 3, 17, 5, "wall"))
    expected = np.full((10, 20), -1)
    expected[3:6, 12:18] = WALL
    np.testing.assert_array_equal(truth.draw("a"), expected)


def test_later_polygons_lie_over_earlier_ones(tmp_path: Path) -> None:
    wall, table, nothing = (
        square(0, 0, 19, 9, "wall"),
        square(4, 2, 15, 7, "table"),
        square(8, 4, 9, 5, "unlabelled"),
    )
    image = read(tmp_path, wall, table, nothing).draw("a")
    assert (image[0, 0], image[2, 4], image[4, 8], image[4, 10]) == (WALL, TABLE, -1, TABLE)
    hole = read(tmp_path, wall, table, square(8, 4, 9, 5, "wall")).draw("a")
    assert (hole == WALL).sum() == 20 * 10 - 12 * 6 + 4
    assert (read(tmp_path, table, wall).draw("a") == WALL).all()


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        (square(0, 0, 19, 9, "throne"), "frame a: label set scannet20 has no class 'throne'; it has: wall"),
        (square(0, 0, 20, 9, "wall"), r"frame a: corner [20, 0] of wall is outside the 20x10 image"),
        (square(0, -1, 19, 9, "wall"), r"corner [0, -1] of wall is outside"),
        ({"class": "wall", "points": [[0, 0], [1, 1]]}, "at least 3 corners"),
        ({"class": "wall", "points": [[0, 0], [1.5, 1], [2, 2]]}, "whole pixels"),
        ({"class": "wall", "points": [[0, 0], [1], [2, 2]]}, "a polygon is"),
        ({"name": "wall"}, "a polygon is"),
    ],
)
def test_a_wrong_polygon_is_refused(tmp_path: Path, polygon: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read(tmp_path, polygon)
    assert "\n" not in str(error.value)


def test_a_wrong_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as JSON"):
        read_polygons(tmp_path / "none.json")
    with pytest.raises(DataError, match="labels no frame"):
        read(tmp_path, frames={})
    for changes in ({"image_size": 5}, {"frames": []}, {"frames": {"a": 5}}, {"color_camera": {"fx": 1}}):
        with pytest.raises(DataError, match="must hold label_set, image_size"):
            read(tmp_path, **changes)
    camera = {"fx": 1, "fy": 1, "cx": 0, "cy": 0, "T_color_depth": (2 * np.eye(4)).tolist()}
    with pytest.raises(DataError, match="last row 0 0 0 2 instead of 0 0 0 1"):
        read(tmp_path, color_camera=camera)
    with pytest.raises(LabelSetError, match="not found"):
        read(tmp_path, label_set="none_such")


def test_an_overlay_shows_classes_where_they_are(tmp_path: Path) -> None:
    truth = read(tmp_path, square(2, 2, 7, 7, "floor"))
    grey = np.full((10, 20, 3), 100, np.uint8)
    image = draw_overlay(grey, truth, "a").astype(int)
    assert image.shape == (20, 40, 3)
    assert image[10, 10, 1] > image[10, 10, 0] + 20  # the floor's green
    assert np.ptp(image[10, 30]) <= 2  # grey stays grey where nothing is labelled


def test_the_shipped_kitchen() -> None:
    truth = read_polygons(SHIPPED)
    assert (truth.width, truth.height, len(truth.frames)) == (640, 480, 15) and truth.color_camera is not None
    drawn = np.stack([truth.draw(name) for name in truth.frames])
    shares = {name: float((drawn == i).mean()) for i, name in enumerate(truth.labels.names) if (drawn == i).any()}
    assert set(shares) == {"wall", "floor", "cabinet", "chair", "table", "counter", "sink"}
    assert min(shares.values()) > 0.01 and sum(shares.values()) > 0.79
    assert all((image >= 0).mean() > 0.6 for image in drawn)


def test_frames_drawn_twice_agree() -> None:
    """The same two frames drawn again from the images alone: how far a border is a matter of the hand."""
    first, again = read_polygons(SHIPPED), read_polygons(Path(__file__).with_name("redkitchen_again.json"))
    confusion = Confusion(len(LABELS))
    for name in again.frames:
        once, twice = first.draw(name), again.draw(name)
        assert ((once >= 0) != (twice >= 0)).mean() < 0.02
        confusion.add(np.where(twice >= 0, once, -1), twice)
    scores = confusion.scores()
    assert len(again.frames) == 2 and scores.miou > 0.95 and scores.accuracy > 0.98
    assert min(scores.iou.values()) > 0.88
