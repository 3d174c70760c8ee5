"""Subsets of folder sequences: the right frames, byte for byte, with what belongs to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError, OutputError
from sem_field_synth.subset import OPTIONAL, spread, write_subset
from tests.datasets import known_view as view


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven frames with depth and labels, named out of step with their numbers in time."""
    folder = tmp_path / "home"
    for i in range(7):
        view.write_image(folder / "color" / f"{i:06d}.jpg", view.picture(i))
        view.write_image(folder / "depth" / f"{i:06d}.png", np.full((12, 16), 1000 + i, np.uint16))
        view.write_image(folder / "label" / f"{i:06d}.png", np.full((12, 16), i, np.uint8))
        view.write_image(folder / "instance" / f"{i:06d}.png", np.full((12, 16), i, np.uint16))
        view.write_matrix(folder / "pose" / f"{i:06d}.txt", view.pose_at(float(i)))
    view.write_matrix(folder / "intrinsics.txt", np.array([[10.0, 0, 7.5], [0, 10, 5.5], [0, 0, 1]]))
    view.write_text(folder / "timestamps.txt", "".join(f"{i:06d} {5 + i}.250000000\n" for i in range(7)))
    view.write_text(folder / "meta.json", '{"label_set": "scannet20", "split": "test"}')
    view.write_text(folder / "ATTRIBUTION.txt", "made by nobody")
    return folder


def test_chosen_frames_with_all_that_belongs_to_them(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mini" / "home"
    size = write_subset(FolderSequence(folder), out, [0, 3, 6], note="3 of 7")
    sequence = FolderSequence(out)
    assert [frame.name for frame in sequence] == ["000000", "000003", "000006"]
    assert sequence.stamps_ns == [5_250_000_000, 8_250_000_000, 11_250_000_000]
    assert [frame.T_world_camera[0, 3] for frame in sequence] == [0, 3, 6]
    assert (out / "color" / "000003.jpg").read_bytes() == (folder / "color" / "000003.jpg").read_bytes()
    assert (out / "ATTRIBUTION.txt").read_text() == "made by nobody" and not (out / "instance").exists()
    meta = json.loads((out / "meta.json").read_text())
    assert meta == {"label_set": "scannet20", "split": "test", "subset": "3 of 7"}
    assert size == sum(file.stat().st_size for file in out.rglob("*") if file.is_file())


def test_other_pictures_on_request_and_no_mixing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mini"
    write_subset(FolderSequence(folder), out, [1], kinds=OPTIONAL)
    assert (out / "instance" / "000001.png").is_file() and not (out / "depth_clean").exists()
    with pytest.raises(OutputError, match="already holds a sequence"):
        write_subset(FolderSequence(folder), out, [2])
    with pytest.raises(DataError, match="no frame chosen"):
        write_subset(FolderSequence(folder), tmp_path / "none", [])


def test_spread() -> None:
    assert spread(40, 20)[:3] == [0, 2, 4] and spread(40, 20)[-1] == 39 and len(spread(40, 20)) == 20
    assert spread(5, 20) == [0, 1, 2, 3, 4] and spread(7, 1) == [0] and spread(7, 3) == [0, 3, 6]
