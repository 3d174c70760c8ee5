"""Labelled photographs without poses: their ids, masks with a palette, and folders that hold none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.image_files import read_labels
from sem_field_ros.datasets.labelled_photos import LabelledPhotos
from sem_field_ros.errors import DataError
from sem_field_ros.labels import load_label_set

NYU = load_label_set("nyu40")
MASK = np.array([[0, 1, 39, 255]] * 3, np.uint8)


def photos(folder: Path, *names: str, mask: np.ndarray = MASK) -> Path:
    for name in names:
        cv2.imwrite(str(folder / f"{name}.png"), np.full((3, 4, 3), (10, 20, 30), np.uint8))
        cv2.imwrite(str(folder / f"{name}_mask.png"), mask)
    return folder


def test_frames_in_order_with_shifted_ids(tmp_path: Path) -> None:
    folder = photos(tmp_path, "b", "a")
    cv2.imwrite(str(folder / "unlabelled.jpg"), np.zeros((3, 4, 3), np.uint8))
    found = list(LabelledPhotos(folder, NYU, id_offset=1))
    assert [frame.name for frame in found] == ["a", "b"] and len(LabelledPhotos(folder, NYU)) == 2
    assert tuple(found[0].color[0, 0]) == (30, 20, 10)
    assert NYU.to_index(found[0].labels)[0].tolist() == [0, 1, 39, -1]
    assert NYU.to_index(next(iter(LabelledPhotos(folder, NYU))).labels)[0].tolist() == [-1, 0, 38, -1]


def test_a_mask_with_a_palette_gives_its_indices(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image", reason="writes the palette").fromarray(MASK, mode="P")
    image.putpalette([value for i in range(256) for value in ((i * 37) % 256, i, 255 - i)])
    image.save(tmp_path / "mask.png", transparency=3)
    assert (read_labels(tmp_path / "mask.png") == MASK).all()
    assert capfd.readouterr().err == ""
    (tmp_path / "cut.png").write_bytes((tmp_path / "mask.png").read_bytes()[:60])
    with pytest.raises(DataError, match="is not a readable image"):
        read_labels(tmp_path / "cut.png")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="holds no labelled photographs: NAME.png") as error:
            LabelledPhotos(folder, NYU)
        assert "\n" not in str(error.value)
    photos(tmp_path, "a", mask=MASK[:2])
    with pytest.raises(DataError, match="a_mask.png is 4x2, its photograph another size"):
        list(LabelledPhotos(tmp_path, NYU))
