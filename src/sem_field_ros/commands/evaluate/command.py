"""`sem-field evaluate`: scores segmenters, maps, fusions and fields against ground truth; one module per kind."""

from __future__ import annotations

import argparse

from sem_field_ros.commands.evaluate import images, maps, novel_views, picture, votes

HELP = "score segmenters and maps against labelled sequences, bags or the mini benchmark"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one subcommand per kind of thing to evaluate."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    maps.add_kinds(kinds)
    images.add_arguments(kinds.add_parser("images", help=images.HELP))
    votes.add_arguments(kinds.add_parser("votes", help=votes.HELP))
    novel_views.add_arguments(kinds.add_parser("novel-views", help=novel_views.HELP))
    picture.add_arguments(kinds.add_parser("picture", help=picture.HELP))


def run(args: argparse.Namespace) -> int:
    """Run the chosen subcommand."""
    return int(args.evaluate(args))
