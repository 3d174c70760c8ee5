"""What the demo recorder received -> semantic_cloud.ply, mesh.ply, preview.png, report.json."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.evaluation.map_evaluation import evaluate_map
from sem_field_ros.frame import SequenceReader
from sem_field_ros.labels import LabelSet
from sem_field_ros.nodes.mapper.statistics import ARRIVAL_TO_CLOUD, LATENCY
from sem_field_ros.results.outputs import REPORT_NAME, map_title, write_surface_files
from sem_field_ros.results.report import MapReport, surface_counts
from sem_field_ros.ros.mapper_status import MapperStatus
from sem_field_ros.segmentation.registry import label_source, labels_pixels
from sem_field_ros.surface import Surface, SurfaceScene

_REAL_TIME = 0.02  # a replay whose rate differs less from 1 is in real time; else stamps give no latency


@dataclass(frozen=True)
class Recording:
    """One demo run as it was received over DDS. `status` is the mapper's last."""

    surface: Surface
    labels: LabelSet
    poses: list[np.ndarray]
    sequence: SequenceReader | None  # what was played
    parameters: dict[str, Any]
    status: MapperStatus
    drops: dict[str, int]
    frames_in: int
    span_s: float  # first to last frame by their stamps
    played_s: float  # the same by the wall clock
    peak_rss_mb: float
    messages: dict[str, int]
    notes: list[str]


def write_recording(directory: Path, recording: Recording) -> MapReport:
    """Write the four files; scores are added where the sequence has labels. Raises SemFieldError with one line."""
    sequence = recording.sequence
    report = _report(recording, sequence.name if sequence is not None else "")
    title = map_title(report.sequence, report.label_source)
    write_surface_files(directory, recording.surface, recording.labels, T_world_cameras=recording.poses, title=title)
    if sequence is not None and sequence.labels is not None and labels_pixels(report.segmenter):
        report = _with_scores(report, recording, sequence)
    left_out = dict(getattr(sequence, "drops", {}))
    if left_out:
        report = dataclasses.replace(report, extra={**report.extra, "left_out_by_reader": left_out})
    report.write(directory / REPORT_NAME)
    return report


def _report(recording: Recording, sequence: str) -> MapReport:
    status = recording.status
    segmenter = str(recording.parameters.get("segmenter", ""))
    config = {key: value for key, value in recording.parameters.items() if key != "segmenter"}
    rate = recording.span_s / recording.played_s if recording.played_s > 0 else 1.0
    extra: dict[str, Any] = {"messages": recording.messages, "replay_rate": round(rate, 3)}
    if unlabelled := status.events.get("segmenter_failed", 0):
        extra["unlabelled_keyframes"] = unlabelled
    if recording.notes:
        extra["notes"] = recording.notes
    return MapReport(
        sequence=sequence,
        segmenter=segmenter,
        label_source=label_source(segmenter) if segmenter else "",
        label_set=recording.labels.name,
        frames_in=recording.frames_in,
        frames_mapped=status.frames_mapped,
        keyframes=status.keyframes,
        drops=recording.drops,
        fps=round(status.frames_mapped / recording.played_s, 2) if recording.played_s > 0 else 0.0,
        latency_ms=status.timings_ms.get(LATENCY if abs(rate - 1) < _REAL_TIME else ARRIVAL_TO_CLOUD, {}),
        **surface_counts(recording.surface, recording.labels),
        peak_rss_mb=round(recording.peak_rss_mb, 1),
        duration_s=round(recording.played_s, 3),
        stage_ms={stage: times for stage, times in status.timings_ms.items() if stage != LATENCY},
        map_stats=status.map_stats,
        config=config,
        extra=extra,
    )


def _with_scores(report: MapReport, recording: Recording, sequence: SequenceReader) -> MapReport:
    """Score the recorded mesh by the labelled views, in the way the offline mapper's own map is scored."""
    surface = recording.surface
    scene = SurfaceScene(surface)
    scores = evaluate_map(surface, scene, recording.labels, sequence).as_report(recording.labels)
    return dataclasses.replace(report, **{**scores, "extra": {**report.extra, **scores["extra"]}})
