"""The folder writer: complete frames, resumption, further images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.datasets.folder_writer import FolderWriter
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics


def frame(name: str, stamp_ns: int = 0, **extra: np.ndarray) -> PosedFrame:
    depth = np.full((4, 6), 1.2345, np.float32)
    color = np.zeros((4, 6, 3), np.uint8)
    return PosedFrame(stamp_ns, color, Intrinsics(5, 5, 2, 1, 6, 4), np.eye(4), depth, None, name, extra)


def test_a_second_run_adds_to_the_first(tmp_path: Path) -> None:
    FolderWriter(tmp_path).write(frame("000000", 5))
    with pytest.raises(OutputError, match="already holds"):
        FolderWriter(tmp_path)
    writer = FolderWriter(tmp_path, resume=True)
    assert writer.written("000000") and not writer.written("000001")
    writer.write(frame("000001", 1_000_000_007))
    writer.close({}, {"000000": 5, "000001": 1_000_000_007})
    assert FolderSequence(tmp_path).stamps_ns == [5, 1_000_000_007]


def test_a_frame_that_fails_half_way_is_not_written(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path)
    with pytest.raises(DataError):
        writer.write(frame("000000", broken=np.zeros((4, 6, 7, 2), np.uint8)))
    assert not writer.written("000000")
    assert not list(tmp_path.rglob("*.tmp"))


def test_further_images_keep_their_numbers_or_become_millimetres(tmp_path: Path) -> None:
    instance = np.full((4, 6), 300, np.uint16)
    clean = np.full((4, 6), 2.0005, np.float32)
    FolderWriter(tmp_path).write(frame("000000", instance=instance, depth_clean=clean))
    assert (cv2.imread(str(tmp_path / "instance" / "000000.png"), cv2.IMREAD_UNCHANGED) == 300).all()
    stored = cv2.imread(str(tmp_path / "depth_clean" / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16 and set(stored.reshape(-1)) <= {2000, 2001}
