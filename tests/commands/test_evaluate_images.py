"""`sem-field evaluate images`: scores, tables and rows of segmenters on labelled photographs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros import cli


def test_classes_are_scored_in_common(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """True labels score 1 on what has a counterpart; ids that count from 0 need the offset."""
    mask = np.repeat(np.array([[0, 13, 21, 255]], np.uint8), 40, axis=0).repeat(40, axis=1)  # wall, desk, ceiling, void
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 255, (40, 160, 3), dtype=np.uint8))
    cv2.imwrite(str(tmp_path / "a_mask.png"), mask)
    out = tmp_path / "rows.json"
    command = ["evaluate", "images", str(tmp_path), "--segmenter", "external", "--segmenter", "homes+ade20k"]
    assert cli.main([*command, "--mask-id-offset", "1", "--out", str(out)]) == 0
    rows = {(r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    assert rows["external", "miou_2d"] == 1.0 and rows["external", "samples_2d"] == 2 * 40 * 40
    assert rows["external", "iou_2d/table"] == 1.0 and ("external", "iou_2d/ceiling") not in rows
    assert rows["homes+ade20k", "ms_per_image"] > 0
    printed = capsys.readouterr().out
    assert "nyu12" in printed and "table" in printed and "homes+ade20k" in printed


def test_a_folder_without_masks_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "images", str(tmp_path), "--segmenter", "homes"]) == 2
    assert "holds no labelled photographs" in capsys.readouterr().err
