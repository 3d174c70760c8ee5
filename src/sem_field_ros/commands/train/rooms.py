"""`sem-field train rooms`: gives the shipped net for photographs a second head, taught by labelled homes."""

from __future__ import annotations

import argparse
from pathlib import Path

from sem_field_ros.commands.argument_types import folder
from sem_field_ros.commands.train.data import add_data_arguments
from sem_field_ros.commands.train.segmenter import frames_of_run
from sem_field_ros.commands.train.training_run import add_training_arguments, set_threads, train_recipe
from sem_field_ros.training.recipes.rooms import RoomsRecipe, RoomsTraining

HELP = "a 2-D segmenter with two heads: the shipped net for photographs, and classes of labelled homes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_data_arguments(parser)
    parser.add_argument("--label-set", default="scannet20", metavar="NAME", help="classes (default scannet20)")
    parser.add_argument(
        "--photos", type=folder, nargs="+", default=[], metavar="DIR", help="folders of photographs without labels"
    )
    add_training_arguments(parser, RoomsTraining)


def run(args: argparse.Namespace) -> int:
    """Read the frames, train."""
    set_threads(args)
    return train_recipe(_recipe(args), args)


def _recipe(args: argparse.Namespace) -> RoomsRecipe:
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.samples.labelled_frames import photographs

    labels, frames, data = frames_of_run(args, "segmenter")
    photos = photographs([Path(path) for path in args.photos])
    data["photos"] = {"folders": [path.name for path in args.photos], "frames": len(photos)}
    config = settings_from_arguments(RoomsTraining, args)
    return RoomsRecipe(config, labels, frames["training"], frames["validation"], data, args.init, photos)
