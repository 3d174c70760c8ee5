"""`sem-field generate truth`: a recorded sequence with hand-drawn labels, for evaluation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sem_field_ros.datasets.folder import FolderSequence
    from sem_field_synth.truth.polygons import LabelPolygons


def add_truth(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    truth = kinds.add_parser("truth", help="a recorded sequence with labels drawn by hand, for evaluation")
    truth.add_argument(
        "--polygons", type=Path, required=True, metavar="FILE", help="the labels, as samples/truth/*.json"
    )
    truth.add_argument("--sequence", type=Path, required=True, metavar="DIR", help="the recording, a sequence folder")
    truth.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; no sequence in it yet")
    truth.add_argument("--overlays", type=Path, metavar="DIR", help="also draw the labels over their images, into DIR")
    truth.add_argument("--labelled-only", action="store_true", help="only the labelled frames (default: all of DIR)")
    truth.add_argument(
        "--as-recorded", action="store_true", help="keep depth and camera, even where FILE has the colour camera that "
        "depth is to be registered to",
    )  # fmt: skip
    truth.set_defaults(generate=run_truth)


def run_truth(args: argparse.Namespace) -> int:
    """Draw the labels and write the sequence."""
    from rich.progress import track

    from sem_field_ros.datasets.folder import FolderSequence
    from sem_field_synth.truth.polygons import read_polygons
    from sem_field_synth.truth.write import TruthWriter

    truth, sequence = read_polygons(args.polygons), FolderSequence(args.sequence)
    writer = TruthWriter(sequence, truth, args.out, register=not args.as_recorded)
    places = writer.labelled if args.labelled_only else range(len(sequence))
    for place in track(places, description=f"labelling {sequence.name}"):
        writer.write(place)
    registered = truth.color_camera is not None and not args.as_recorded
    writer.close(f"{len(truth.frames)} frames by hand, {args.polygons.name}" + ", depth registered" * registered)
    print(f"{args.out}: {len(places)} frames, {len(truth.frames)} of them labelled ({_coverage(truth):.0%} of pixels)")
    if args.overlays:
        _write_overlays(args.overlays, sequence, truth, writer.labelled)
    return 0


def _coverage(truth: LabelPolygons) -> float:
    """Share of the pixels of the labelled frames that have a class."""
    return sum(float((truth.draw(name) >= 0).mean()) for name in truth.frames) / len(truth.frames)


def _write_overlays(out: Path, sequence: FolderSequence, truth: LabelPolygons, labelled: Sequence[int]) -> None:
    from sem_field_ros.datasets.image_files import write_color
    from sem_field_synth.truth.overlay import draw_overlay

    for place in labelled:
        frame = sequence.read_files(place)
        write_color(out / f"{frame.name}.png", draw_overlay(frame.color, truth, frame.name))
    print(f"{out}: {len(labelled)} overlays")
