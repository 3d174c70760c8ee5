"""Pictures to look at: what is written has the right colours, and appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.image_files import read_color, write_color
from sem_field_ros.errors import OutputError


@pytest.mark.parametrize(("suffix", "tolerance"), [("png", 0), ("jpg", 4)])
def test_colours_are_rgb_in_the_file_too(tmp_path: Path, suffix: str, tolerance: int) -> None:
    image = np.empty((16, 24, 3), np.uint8)
    image[:] = 200, 100, 30
    write_color(tmp_path / f"picture.{suffix}", image)
    found = read_color(tmp_path / f"picture.{suffix}")
    assert np.abs(found.astype(int) - image).max() <= tolerance
    assert [path.name for path in tmp_path.iterdir()] == [f"picture.{suffix}"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError) as error:
        write_color(tmp_path / "file" / "picture.png", np.zeros((2, 2, 3), np.uint8))
    assert "\n" not in str(error.value)
