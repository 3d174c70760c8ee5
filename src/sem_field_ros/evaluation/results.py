"""Evaluation results as rows {benchmark, method, metric, value}: JSON for machines, a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sem_field_ros.atomic import write_json
from sem_field_ros.evaluation.metrics import Confusion, SegmentationScores
from sem_field_ros.evaluation.sequence_evaluation import SequenceEvaluation
from sem_field_ros.labels import LabelSet

IMAGES = "image by image"  # the method of a segmenter without a map; a map's method is its fusion
_TABLE_WIDTH = 120  # if the output is not a terminal
# metric -> heading and number format of its column; other metrics are only in the JSON
COLUMNS = {
    "miou_2d": ("2-D mIoU", ".3f"),
    "accuracy_2d": ("2-D acc.", ".3f"),
    "mean_accuracy_2d": ("class acc.", ".3f"),
    "miou_covered_2d": ("covered mIoU", ".3f"),
    "psnr": ("PSNR dB", ".1f"),
    "psnr_covered": ("covered PSNR", ".1f"),
    "ssim": ("SSIM", ".3f"),
    "ece_2d": ("ECE", ".3f"),
    "miou_3d": ("3-D mIoU", ".3f"),
    "accuracy_3d": ("3-D acc.", ".3f"),
    "ms_per_image": ("ms/image", ".0f"),
    "chamfer_l1_m": ("chamfer m", ".4f"),
    "fscore_0.05m": ("F 5 cm", ".3f"),
    "depth_rmse_m": ("depth RMSE m", ".4f"),
}


@dataclass(frozen=True)
class Row:
    """One number: which data and classes, which method, which metric."""

    benchmark: str
    method: str
    metric: str
    value: float


def rows_of(evaluation: SequenceEvaluation, benchmark: str, segmenter: str) -> list[Row]:
    """All numbers of an evaluation: of the segmenter's own images, the map's for each fusion, and the surface's.

    The benchmark's name gets the segmenter and the classes that were scored, as `mini/homes/scannet20`.
    """
    named = f"{benchmark}/{segmenter}/{evaluation.labels.name}"
    rows = [Row(named, IMAGES, metric, value) for metric, value in _image_scores(evaluation)]
    for fusion, tally in evaluation.maps.items():
        for kind, confusion in (("2d", tally.views), ("3d", tally.mesh)):
            if confusion.counts.any():
                rows += label_rows(named, fusion, kind, confusion, evaluation.labels)
                rows.append(Row(named, fusion, f"miou_covered_{kind}", confusion.covered().scores().miou))
    surface = f"surface at {evaluation.config.voxel_size_m * 100:g} cm"
    return rows + [Row(benchmark, surface, metric, value) for metric, value in _surface_scores(evaluation)]


def label_rows(benchmark: str, method: str, kind: str, confusion: Confusion, labels: LabelSet) -> list[Row]:
    """Metrics of `kind` 2d or 3d of a confusion matrix."""
    return [Row(benchmark, method, metric, value) for metric, value in _labels(kind, confusion.scores(), labels)]


def _image_scores(evaluation: SequenceEvaluation) -> Iterator[tuple[str, float]]:
    scores = evaluation.images.scores()
    if scores.samples:
        yield from _labels("2d", scores, evaluation.labels)
    calibration = evaluation.calibration.scores()
    if calibration:
        yield "ece_2d", calibration.ece
        yield "mce_2d", calibration.mce
        yield "nll_2d", calibration.nll
        yield "brier_2d", calibration.brier
    if evaluation.segment_ms:
        yield "ms_per_image", float(np.median(evaluation.segment_ms))


def _labels(kind: str, scores: SegmentationScores, labels: LabelSet) -> Iterator[tuple[str, float]]:
    yield f"miou_{kind}", scores.miou
    yield f"accuracy_{kind}", scores.accuracy
    yield f"mean_accuracy_{kind}", scores.mean_accuracy
    yield f"coverage_{kind}", scores.coverage
    yield f"samples_{kind}", scores.samples
    yield from ((f"iou_{kind}/{labels.names[c]}", value) for c, value in scores.iou.items())


def _surface_scores(evaluation: SequenceEvaluation) -> Iterator[tuple[str, float]]:
    depth, surface = evaluation.depth.scores(), evaluation.geometry()
    if depth:
        yield "depth_rmse_m", depth.rmse
        yield "depth_mae_m", depth.mae
        yield "depth_abs_rel", depth.abs_rel
        yield "depth_delta1", depth.delta1
        yield "depth_coverage", depth.coverage
    if surface:
        yield "chamfer_l1_m", surface.chamfer_l1
        yield "chamfer_l2_m2", surface.chamfer_l2
        yield "accuracy_m", surface.accuracy
        yield "completeness_m", surface.completeness
        for limit, value in surface.fscore.items():
            yield f"fscore_{limit:g}m", value
            yield f"precision_{limit:g}m", surface.precision[limit]
            yield f"recall_{limit:g}m", surface.recall[limit]


def write_rows(path: str | Path, rows: Sequence[Row]) -> None:
    """Write the rows as a JSON list. Raises OutputError."""
    write_json(path, [asdict(row) for row in rows])


def print_rows(rows: Sequence[Row], console: Console, out: Path | None = None) -> None:
    """Print the tables of `rows`; write them to `out` if given."""
    if not console.is_terminal:
        console = Console(width=_TABLE_WIDTH)
    for table in tables(rows):
        console.print(table)
    if out:
        write_rows(out, rows)
        console.print(f"{len(rows)} rows in {out}", highlight=False, soft_wrap=True)


def tables(rows: Sequence[Row]) -> list[Table]:
    """One table per benchmark with a line per method; empty columns are left out."""
    return [
        _table(name, [row for row in rows if row.benchmark == name])
        for name in dict.fromkeys(r.benchmark for r in rows)
    ]


def class_table(rows: Sequence[Row], metric: str) -> Table:
    """`metric` (iou_2d, iou_3d) of every class, a line a class and a column a method; classes in the order of rows."""
    values = {
        (row.method, row.metric.partition("/")[2]): row.value for row in rows if row.metric.startswith(f"{metric}/")
    }
    table = Table()
    table.add_column(metric)
    methods, classes = ([*dict.fromkeys(key[i] for key in values)] for i in (0, 1))
    for method in methods:
        table.add_column(method, justify="right", overflow="fold")
    for name in classes:
        cells = (values.get((method, name)) for method in methods)
        table.add_row(name, *("" if value is None else f"{value:.3f}" for value in cells))
    return table


def _table(benchmark: str, rows: Sequence[Row]) -> Table:
    values = {(row.method, row.metric): row.value for row in rows}
    shown = [metric for metric in COLUMNS if any(row.metric == metric for row in rows)]
    table = Table()
    table.add_column(benchmark, overflow="fold")
    for metric in shown:
        table.add_column(COLUMNS[metric][0], justify="right", no_wrap=True)
    for method in dict.fromkeys(row.method for row in rows):
        cells = [(method, metric) for metric in shown]
        table.add_row(method, *(format(values[c], COLUMNS[c[1]][1]) if c in values else "" for c in cells))
    return table
