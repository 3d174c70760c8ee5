"""`sem-field map`: the mapper on a recorded sequence without ROS, as fast as it can; writes what the demo writes."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sem_field_ros.commands.argument_types import add_segmenter, positive, positive_number
from sem_field_ros.commands.progress import counting_progress
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.exit_codes import DONE, INTERRUPTED
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.segmentation.registry import (
    DEFAULT_SEGMENTER,
    SEGMENTER_HELP,
    default_segmenter,
    labels_pixels,
    takes_label_images,
)
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments

if TYPE_CHECKING:
    from sem_field_ros.frame import SequenceReader
    from sem_field_ros.mapping.mapper import Mapper
    from sem_field_ros.mapping.sequence_mapping import SequenceRun
    from sem_field_ros.results.report import MapReport
    from sem_field_ros.surface import Surface

HELP = "map a recorded sequence (folder or bag) without ROS, as fast as it can"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; those of the map itself come from MapConfig."""
    parser.add_argument("sequence", metavar="SEQ", type=Path, help="sequence folder, or MCAP or sqlite3 bag")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    default = f"external where there are label images, else {DEFAULT_SEGMENTER}"
    text = f"what labels the images; {SEGMENTER_HELP} (default: {default})"
    add_segmenter(parser, None, help=text)
    parser.add_argument("--label-set", metavar="NAME", help="classes of the map: a shipped set's name or a YAML file")
    parser.add_argument(
        "--sequence-label-set", metavar="NAME", help="classes of the label images, where the sequence does not say"
    )
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="map every N-th frame (default 1)")
    parser.add_argument("--max-frames", type=positive, metavar="N", help="stop after N frames (default: all)")
    parser.add_argument("--start-s", type=float, default=0.0, metavar="S", help="skip the first S seconds (default 0)")
    parser.add_argument("--duration-s", type=float, metavar="S", help="map only S seconds (default: all)")
    parser.add_argument(
        "--depth-units-per-m",
        type=positive_number,
        metavar="N",
        help="16-bit depth images have this many units a metre (default: what the data say, else 1000)",
    )
    for stream in ("color", "camera-info", "depth", "label"):
        text = f"{stream.replace('-', ' ')} topic of a bag (default: found by type and name)"
        parser.add_argument(f"--{stream}-topic", default="", metavar="TOPIC", help=text)
    parser.add_argument("--world-frame", metavar="FRAME", help="world frame of a bag (default: map, odom or world)")
    parser.add_argument("--name", default="map", help="name of the saved map in DIR (default map)")
    parser.add_argument("--glb", action="store_true", help="also write mesh.glb, for web viewers and Blender")
    add_settings_arguments(parser, MapConfig)


def run(args: argparse.Namespace) -> int:
    """Map, evaluate where there are labels, write the files; 130 where Ctrl-C ended the mapping early."""
    from sem_field_ros.datasets.bag.topics import BagTopics
    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.mapping.files.map_folder import MapFolder

    MapFolder(args.out).check_name(args.name)  # now, not after an hour of mapping
    console = Console(stderr=True)
    sequence = open_sequence(
        args.sequence,
        label_set=args.sequence_label_set,
        start_s=args.start_s,
        duration_s=args.duration_s,
        topics=BagTopics(args.color_topic, args.camera_info_topic, args.depth_topic, args.label_topic),
        world_frame=args.world_frame,
        depth_units_per_m=args.depth_units_per_m,
    )
    _make_folder(args.out)
    for note in getattr(sequence, "notes", ()):
        print(f"sem-field map: {note}", file=sys.stderr)
    from sem_field_ros.mapping.sequence_mapping import map_sequence  # torch and more: after what fails quickly

    mapper, segmenter = _make_mapper(args, sequence)
    total = min(-(-len(sequence) // args.every), args.max_frames or len(sequence))
    with counting_progress(console) as progress:
        task = progress.add_task(f"mapping {sequence.name} ({segmenter})", total=total)
        done = map_sequence(
            mapper, sequence, every=args.every, max_frames=args.max_frames, on_progress=lambda: progress.advance(task)
        )
    if not len(mapper.map.surface().vertices):
        raise DataError(f"{args.sequence}: the map is empty; {done.depth.why_empty(mapper.config)}")
    with console.status("writing the map"):
        report = _write_results(args, mapper, sequence, segmenter, done)
    _summarize(report, args.out)
    for line in (*_losses(sequence, mapper), *filter(None, [done.depth.doubt()])):
        print(f"sem-field map: {line}", file=sys.stderr)
    return INTERRUPTED if done.interrupted else DONE


def _make_folder(directory: Path) -> None:
    """Make the folder and try to write in it: now, not after an hour of mapping."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write in the folder {directory}: {error.strerror}; choose another with --out"
        ) from error


def _make_mapper(args: argparse.Namespace, sequence: SequenceReader) -> tuple[Mapper, str]:
    """The mapper that the flags ask for, and its segmenter's name."""
    from sem_field_ros.labels import load_label_set
    from sem_field_ros.mapping.mapper import Mapper
    from sem_field_ros.segmentation.registry import make_segmenter

    config = settings_from_arguments(MapConfig, args)
    name = args.segmenter or default_segmenter(sequence.labels)
    if not labels_pixels(name):
        return Mapper(config, None, load_label_set(args.label_set) if args.label_set else None), name
    if args.label_set and sequence.labels is not None and takes_label_images(name):
        target = load_label_set(args.label_set)
        if lost := sequence.labels.without_counterpart(target):
            print(f"sem-field map: classes without a counterpart in {target.name}: {', '.join(lost)}", file=sys.stderr)
    segmenter = make_segmenter(
        name, args.label_set, label_width=config.label_width, device=config.device, source=sequence.labels
    )
    return Mapper(config, segmenter), name


def _write_results(
    args: argparse.Namespace, mapper: Mapper, sequence: SequenceReader, segmenter: str, done: SequenceRun
) -> MapReport:
    """Write the map file first (it is what cannot be had again quickly), the files for people, the report last."""
    from sem_field_ros.mapping.files.map_file import save_map
    from sem_field_ros.mapping.sequence_mapping import MappedFrames
    from sem_field_ros.results.outputs import REPORT_NAME, map_title, write_surface_files
    from sem_field_ros.segmentation.registry import label_source

    manifest = save_map(args.out, args.name, mapper.map.state())
    surface = mapper.map.surface()
    title = map_title(sequence.name, label_source(segmenter))
    write_surface_files(args.out, surface, mapper.map.labels, T_world_cameras=done.poses, title=title, glb=args.glb)
    report = done.report(mapper, sequence.name, segmenter, surface)
    extra = {**report.extra, **_left_out(sequence), "map_file": manifest.name}
    report = dataclasses.replace(report, label_source=label_source(segmenter), extra=extra)
    if mapper.segmenter is not None:
        report = _with_scores(report, mapper, MappedFrames(sequence, args.every, done), surface)
    report.write(args.out / REPORT_NAME)
    return report


def _left_out(sequence: SequenceReader) -> dict[str, dict[str, int]]:
    """Images that the reader made no frame of, by cause: no pose, no depth, no transform ..."""
    left_out = dict(getattr(sequence, "drops", {}))
    return {"left_out_by_reader": left_out} if left_out else {}


def _losses(sequence: SequenceReader, mapper: Mapper) -> list[str]:
    """What is not in the map, a line each: frames that the reader left out, labels not read, blocks removed."""
    lines = []
    if left_out := _left_out(sequence):
        causes = ", ".join(f"{count} {cause}" for cause, count in left_out["left_out_by_reader"].items())
        lines.append(f"images or messages without a frame: {causes} (docs/troubleshooting.md)")
    if problems := getattr(sequence, "label_problems", {}):
        lines.append(f"{len(problems)} label images could not be used, e.g. {next(iter(problems.values()))}")
    if mapper.map.evicted_blocks and not mapper.config.map_radius_m:
        lines.append(
            f"{mapper.map.evicted_blocks} blocks were removed again: the map is larger than max_blocks "
            f"{mapper.config.max_blocks}; raise it or voxel_size_m"
        )
    return lines


def _with_scores(report: MapReport, mapper: Mapper, sequence: SequenceReader, surface: Surface) -> MapReport:
    from sem_field_ros.evaluation.map_evaluation import evaluate_map

    labels = mapper.map.labels
    scores = evaluate_map(surface, mapper.map, labels, sequence).as_report(labels)
    return dataclasses.replace(report, **{**scores, "extra": {**report.extra, **scores["extra"]}})


def _summarize(report: MapReport, directory: Path) -> None:
    """Print the results in a few lines."""
    dropped = "".join(f", {count} dropped ({cause})" for cause, count in report.drops.items())
    print(f"{report.frames_mapped} of {report.frames_in} frames mapped{dropped}")
    print(
        f"{report.fps:.1f} frames/s; a frame takes {report.latency_ms.get('p50', 0):.0f} ms "
        f"(p95 {report.latency_ms.get('p95', 0):.0f} ms); at most {report.peak_rss_mb:.0f} MB of memory"
    )
    classes = ", ".join(f"{name} {count}" for name, count in list(report.points_per_class.items())[:6])
    print(f"{report.cloud_points} points, {report.mesh_triangles} triangles: {classes}")
    for name, scores in (("labelled views", report.scores_2d), ("labelled mesh", report.scores_3d)):
        if scores is not None:
            print(f"{name}: mIoU {scores.miou:.3f}, accuracy {scores.accuracy:.3f}")
    print(f"results in {directory}")
