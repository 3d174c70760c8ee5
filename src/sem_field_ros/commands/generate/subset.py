"""`sem-field generate subset`: a few frames of each of some sequences, small enough to keep in a repository."""

from __future__ import annotations

import argparse
from pathlib import Path

from sem_field_ros.errors import DataError
from sem_field_ros.measurements import megabytes

# as in data/subset.py, which is imported only where it is used
_OPTIONAL = ("depth", "label", "instance", "label_nyu40", "depth_clean")


def add_subset(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    subset = kinds.add_parser("subset", help="some frames of sequence folders, copied with mesh and attribution")
    subset.add_argument("sequences", nargs="+", type=Path, metavar="DIR", help="sequence folders")
    subset.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to: DIR/NAME for each")
    subset.add_argument(
        "--frames", type=int, default=20, metavar="N", help="so many of each, spread evenly over it (default 20)"
    )
    subset.add_argument("--every", type=int, metavar="N", help="every N-th frame instead")
    subset.add_argument(
        "--keep", nargs="*", choices=_OPTIONAL, default=["depth", "label"], help="pictures to copy beside the colour "
        "ones (default depth label)",
    )  # fmt: skip
    subset.set_defaults(generate=run_subset)


def run_subset(args: argparse.Namespace) -> int:
    """Copy the frames of each sequence."""
    from sem_field_ros.datasets.folder import FolderSequence
    from sem_field_synth.subset import spread, write_subset

    if args.frames < 1 or (args.every is not None and args.every < 1):
        raise DataError("--frames and --every must be at least 1")
    total = 0
    for path in args.sequences:
        sequence = FolderSequence(path)
        count = len(sequence)
        places = list(range(0, count, args.every)) if args.every else spread(count, args.frames)
        note = f"{len(places)} of {count} frames, by sem-field generate subset"
        size = write_subset(sequence, args.out / sequence.name, places, args.keep, note)
        total += size
        print(f"{args.out / sequence.name}: {len(places)} of {count} frames, {megabytes(size):.2f} MB")
    print(f"{megabytes(total):.2f} MB in all")
    return 0
