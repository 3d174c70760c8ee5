"""`sem-field train segmenter`: trains the 2-D segmenter on labelled homes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.commands.train.data import add_data_arguments
from sem_field_ros.commands.train.training_run import add_training_arguments, set_threads, train_recipe
from sem_field_ros.training.recipes.segmenter import SegmenterRecipe, SegmenterTraining

if TYPE_CHECKING:
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.training.samples.labelled_frames import LabelledFrame

HELP = "the 2-D segmenter, on labelled homes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_data_arguments(parser)
    parser.add_argument("--label-set", default="scannet20", metavar="NAME", help="classes (default scannet20)")
    add_training_arguments(parser, SegmenterTraining)


def run(args: argparse.Namespace) -> int:
    """Read the frames, train."""
    set_threads(args)
    return train_recipe(_recipe(args), args)


def _recipe(args: argparse.Namespace) -> SegmenterRecipe:
    from sem_field_ros.settings import settings_from_arguments

    labels, frames, data = frames_of_run(args, "segmenter")
    config = settings_from_arguments(SegmenterTraining, args)
    return SegmenterRecipe(config, labels, frames["training"], frames["validation"], data, args.init)


def frames_of_run(
    args: argparse.Namespace, kind: str
) -> tuple[LabelSet, dict[str, list[LabelledFrame]], dict[str, Any]]:
    """Label set, frames by split (all that are there, or those that the run began with), and their description."""
    from rich.console import Console
    from rich.progress import Progress

    from sem_field_ros.labels import load_label_set
    from sem_field_ros.training.loop.run_folder import RunFolder
    from sem_field_ros.training.samples.labelled_frames import TRAINING, VALIDATION, read_frames, scenes_of

    labels = load_label_set(args.label_set)
    began: dict[str, Any] = RunFolder(args.out).read()["settings"][kind] if args.resume else {}
    scenes = {split: scenes_of(args.data, split) for split in (TRAINING, VALIDATION)}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading frames", total=sum(map(len, scenes.values())))
        frames = {
            split: read_frames(
                folders,
                labels,
                only=began.get(f"{split}_frames"),
                on_progress=lambda: progress.advance(task),
                on_lost=lambda line: progress.console.print(line, highlight=False),
            )
            for split, folders in scenes.items()
        }
    return labels, frames, {split: _description(args.data, frames[split]) for split in frames}


def _description(data: list[Path], frames: list[Any]) -> dict[str, Any]:
    scenes = sorted({frame.name.partition("/")[0] for frame in frames})
    return {"folders": [folder.name for folder in data], "scenes": scenes, "frames": len(frames)}
