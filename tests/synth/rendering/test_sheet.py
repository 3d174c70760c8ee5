"""Contact sheets: their size, their colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.errors import DataError
from sem_field_ros.labels import load_label_set
from sem_field_synth.rendering.home_writer import DrawSettings, draw_home
from sem_field_synth.rendering.sheet import contact_sheet
from sem_field_synth.scene import HomeScene


def test_blocks_of_colour_labels_and_depth(home: HomeScene, tmp_path: Path) -> None:
    draw_home(home, tmp_path / "box", DrawSettings("raster"), {}, "")
    sheet = contact_sheet([tmp_path / "box"] * 3, frames=2, columns=2, width=64)
    assert sheet.shape == (2 * (16 + 2 * 48), 2 * 3 * 64 + 8, 3) and sheet.dtype == np.uint8
    labels = load_label_set("scannet20")
    shown = {tuple(color) for color in sheet[16 : 16 + 48, 64:128].reshape(-1, 3).tolist()}
    assert tuple(labels.colors[labels.index_of("chair")].tolist()) in shown
    assert (sheet[-40:, -64:] == 255).all(), "the last place is empty"


def test_a_sheet_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        contact_sheet([])
    with pytest.raises(DataError):
        contact_sheet([tmp_path])
