"""`sem-field train`: trains the models; each run is a folder that can be resumed to the exact step."""

from __future__ import annotations

import argparse
import sys

from sem_field_ros.commands.parser import add_former_kind, move_flags
from sem_field_ros.commands.train import context, depth, export, fusion, gnesf, gsnerf, rooms, segmenter
from sem_field_ros.settings import renaming_line

HELP = "train a model: 2-D segmenter, the map's fusion or context, GNeSF, GSNeRF, depth from RGB; or export weights"
# until the next release: `train field` is `train gnesf` now, and what `train gnesf` was is `train fusion`
_FORMER_KINDS = {"field": "gnesf"}
_MOVED = "the map's fusion is trained by `sem-field train fusion` now, and `train gnesf` trains the field"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one subcommand per model, and export."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    parsers = {}
    for name, module in (
        ("segmenter", segmenter),
        ("rooms", rooms),
        ("fusion", fusion),
        ("context", context),
        ("gnesf", gnesf),
        ("gsnerf", gsnerf),
        ("depth", depth),
        ("export", export),
    ):
        parsers[name] = kinds.add_parser(name, help=module.HELP)
        module.add_arguments(parsers[name])
        parsers[name].set_defaults(train=module.run)
    for old, new in _FORMER_KINDS.items():
        add_former_kind(kinds, old, new)
    move_flags(parsers["gnesf"], parsers["fusion"], _MOVED)


def run(args: argparse.Namespace) -> int:
    """Run the chosen subcommand."""
    if args.kind in _FORMER_KINDS:
        line = renaming_line(f"train {args.kind}", f"train {_FORMER_KINDS[args.kind]}")
        print(f"sem-field train: {line}", file=sys.stderr)
    return int(args.train(args))
