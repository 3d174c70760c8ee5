"""`sem-field bag`: a recorded sequence -> an MCAP or sqlite3 bag with camera topics, TF and label info."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from sem_field_ros.commands.progress import counting_progress

HELP = "write a recorded sequence as a ROS 2 bag"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("sequence", metavar="SEQ", type=Path, help="sequence folder, or another bag")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="FILE.mcap, FILE.db3, or a bag folder with metadata.yaml",
    )
    parser.add_argument("--jpeg", action="store_true", help="store colour as JPEG on image_raw/compressed: smaller")
    parser.add_argument(
        "--label-set", metavar="NAME", help="classes of the label images, where the sequence does not say"
    )
    parser.add_argument("--start-s", type=float, default=0.0, metavar="S", help="skip the first S seconds (default 0)")
    parser.add_argument("--duration-s", type=float, metavar="S", help="write only S seconds (default: all)")


def run(args: argparse.Namespace) -> int:
    """Write the bag."""
    from sem_field_ros.datasets.bag.writer import write_bag
    from sem_field_ros.datasets.open_sequence import open_sequence

    sequence = open_sequence(args.sequence, label_set=args.label_set, start_s=args.start_s, duration_s=args.duration_s)
    with counting_progress(Console(stderr=True)) as progress:
        task = progress.add_task(f"writing {args.out.name}", total=len(sequence))
        frames = write_bag(
            args.out,
            sequence,
            jpeg=args.jpeg,
            on_progress=lambda: progress.advance(task),
            skip=lambda error: progress.console.print(f"frame left out: {error}", highlight=False),
        )
    print(f"{args.out}: {frames} frames of {sequence.name}")
    return 0
