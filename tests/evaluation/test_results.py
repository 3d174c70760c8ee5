"""Rows and tables: every number once, the JSON as promised, columns that nobody fills left out."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console

from sem_field_ros.evaluation.results import IMAGES, Row, rows_of, tables, write_rows
from sem_field_ros.evaluation.sequence_evaluation import SequenceEvaluation
from sem_field_ros.labels import load_label_set
from sem_field_ros.mapping.config import MapConfig


def test_rows_of_counts_known_by_hand() -> None:
    labels = load_label_set("scannet20")
    evaluation = SequenceEvaluation(None, labels, MapConfig(voxel_size_m=0.02), ("bayesian",))
    evaluation.images.add(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    evaluation.calibration.add(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0, 1]))
    evaluation.maps["bayesian"].mesh.add(np.array([4, 4]), np.array([4, -1]))
    evaluation.depth.add(np.array([[1.5]]), np.array([[1.0]]))
    evaluation.segment_ms += [1.0, 3.0, 2.0]
    rows = rows_of(evaluation, "toy", "net")
    values = {(row.benchmark, row.method, row.metric): row.value for row in rows}
    assert len(values) == len(rows)
    assert values["toy/net/scannet20", IMAGES, "iou_2d/wall"] == 2 / 3
    assert values["toy/net/scannet20", IMAGES, "miou_2d"] == (2 / 3 + 1 / 2) / 2
    assert values["toy/net/scannet20", IMAGES, "accuracy_2d"] == 0.75
    assert abs(values["toy/net/scannet20", IMAGES, "ece_2d"] - 0.1) < 1e-9
    assert values["toy/net/scannet20", IMAGES, "ms_per_image"] == 2.0
    assert values["toy/net/scannet20", "bayesian", "miou_3d"] == 0.5
    assert values["toy/net/scannet20", "bayesian", "iou_3d/chair"] == 0.5
    assert values["toy/net/scannet20", "bayesian", "miou_covered_3d"] == 1.0
    assert ("toy/net/scannet20", "bayesian", "miou_2d") not in values  # no view was scored
    assert values["toy", "surface at 2 cm", "depth_rmse_m"] == 0.5
    assert ("toy", "surface at 2 cm", "chamfer_l1_m") not in values


def test_the_json_is_a_list_of_rows(tmp_path: Path) -> None:
    write_rows(tmp_path / "out" / "eval.json", [Row("b", "m", "miou_2d", 0.5), Row("b", "m", "x", float("nan"))])
    content = json.loads((tmp_path / "out" / "eval.json").read_text())
    assert content[0] == {"benchmark": "b", "method": "m", "metric": "miou_2d", "value": 0.5}
    assert content[1]["value"] is None


def test_a_table_a_benchmark_a_line_a_method() -> None:
    rows = [Row("a", "one", "miou_2d", 0.12345), Row("a", "two", "miou_3d", 0.5), Row("b", "one", "iou_2d/bed", 1.0)]
    shown = tables(rows)
    assert len(shown) == 2 and shown[0].row_count == 2
    text = StringIO()
    Console(file=text, width=120).print(*shown)
    assert "0.123" in text.getvalue() and "3-D mIoU" in text.getvalue() and "bed" not in text.getvalue()
    assert "chamfer" not in text.getvalue()
